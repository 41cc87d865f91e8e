"""The report of a few items is read again: its text and pictures, and that it needs nothing else."""

import base64
import dataclasses
import io

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from analysis.report.report_pages import Page, assert_needs_nothing, entry, write
from PIL import Image

from warplens.analysis.item_analysis import analyze_item
from warplens.analysis.percent import percent
from warplens.analysis.report import ReportItem, Sound


@pytest.fixture
def render(tmp_path):
    """The page of some items."""

    def rendered(*entries, **options):
        write(tmp_path, entries, **options)
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".wav"] == ["report.html"]
        return (tmp_path / "report.html").read_bytes().decode()

    return rendered


def test_page_is_whole_and_needs_nothing_beside_itself(render):
    html = render(entry(), entry("two", 1))
    assert_needs_nothing(html)
    for attributes in (each for tag, each in Page(html).tags if "href" in each):
        assert attributes["href"].startswith(("#", "data:"))


def test_page_shows_every_roll_with_its_own_shape(render):
    one = entry(strong=None)
    page = Page(render(one))
    sizes = []
    for tag, attributes in page.tags:
        if tag == "img":
            png = base64.b64decode(attributes["src"].partition(",")[2])
            with Image.open(io.BytesIO(png)) as image:
                sizes.append(image.size)
    n_frames, n_targets, n_features = one.analysis.shape
    # Y_mod at two gammas, then weak target and predictions, and the colour scale; no strong target is known.
    rolls = [*[(n_frames, n_features)] * 2, (n_targets, n_features), (n_frames, n_features), (256, 1)]
    assert sizes == rolls
    assert len(page.all("svg", **{"aria-label": "h(n)"})) == 2
    assert "Strong target" not in page.text
    assert "Strong target" in Page(render(entry())).text


def test_page_says_how_many_events_are_lost(render):
    one, two = entry(), entry("two", 1)
    text = Page(render(one, two)).text
    for g, gamma in enumerate(("0.1", "10")):
        lost = [int((each.analysis.levels.peak[g] < 0.5).sum()) for each in (one, two)]
        total = [len(each.analysis.events) for each in (one, two)]
        assert f"{sum(lost)} of {sum(total)} events" in text
        assert f"{lost[0]} of {total[0]} at γ = {gamma}" in text
    assert "2 items with" in text


def test_lost_events_are_listed_with_their_names(render):
    one = entry(gammas=(30.0,))
    lost = np.flatnonzero(one.analysis.levels.peak[0] < 0.5)
    assert len(lost) > 0
    page = Page(render(one))
    assert len(page.all("td", **{"class": "lost"})) == len(lost)
    # Boxes in the weak target and in Y_mod, and dots of the magnitudes.
    marks = [attributes["d"] for attributes in page.all("path", **{"class": "lost"})]
    assert [mark.count("M") for mark in marks] == [len(lost)] * 3
    assert "C4" in page.text


def test_axes_are_frames_and_features_where_time_and_pitch_are_not_known(render):
    text = Page(render(entry(fps=None, lowest_pitch=None, strong=None))).text
    assert "prediction frame n" in text
    assert "time (s)" not in text
    assert "C4" not in text


def test_failures_and_hostile_names_are_shown_as_text(render):
    name = '<script>alert("x")</script>&'
    html = render(entry(name), ReportItem("broken", error="no array <weak>"))
    page = Page(html)
    assert name in page.text
    assert "no array <weak>" in page.text
    # The data of the table, and the script: the name has added none.
    assert len(page.all("script")) == 2
    assert "No item could be analysed" in Page(render(ReportItem("x", error="y"))).text


def test_warnings_sounds_and_their_addresses_are_text_as_well(render, tmp_path):
    (tmp_path / "a'b&.wav").write_bytes(b"RIFF")
    hostile = "</p><script>\"'&"
    sounds = (Sound("a'b&.wav", None, hostile),)
    told = dataclasses.replace(entry("' onload='", sounds=sounds), warning=hostile)
    page = Page(render(told))
    assert f"Mind: {hostile}." in page.text
    assert f"Recording: {hostile}" in page.text
    assert page.all("section")[0]["id"] == "item-' onload='"
    assert len(page.all("script")) == 1


def test_a_name_that_is_not_unicode_does_not_stop_the_page(render):
    assert "caf\\udce9" in render(entry("caf\udce9"))


def test_same_items_same_bytes(render):
    assert render(entry(), entry("two", 1)) == render(entry(), entry("two", 1))


def test_sounds_are_part_of_the_page_while_there_is_room(render, tmp_path, monkeypatch):
    monkeypatch.setattr("warplens.analysis.report.write.EMBEDDED_SOUND_BYTES", 6)
    (tmp_path / "a b.wav").write_bytes(b"RIFF")
    (tmp_path / "c.wav").write_bytes(b"other")
    sounds = (Sound("a b.wav", 10.0), Sound("c.wav", None, "left & right"), Sound("gone.wav", 0.1))
    page = Page(render(entry(sounds=sounds)))
    players = page.all("audio")
    assert base64.b64decode(players[0]["src"].removeprefix("data:audio/wav;base64,")) == b"RIFF"
    assert players[1]["src"] == "c.wav"
    assert len(players) == 2
    assert all(player["preload"] == "none" for player in players)
    assert "Y_mod, γ = 10" in page.text
    assert "Recording: left & right" in page.text


def test_every_measure_that_is_known_is_told(render):
    one = entry()
    text = Page(render(one)).text
    for kept in one.analysis.measures["kept"]:
        assert f" {percent(kept)} " in text
    for words, name, form in (("blur", "blur", ".2f"), ("short over long", "short_long_ratio", ".3f")):
        assert words in text
        for value in one.analysis.measures[name]:
            assert format(value, form) in text
    weak_only = Page(render(entry(strong=None))).text
    assert "against the strong target" in text
    assert "against the strong target" not in weak_only


def test_an_item_without_events_has_a_page(render):
    item = entry().item
    silent = dataclasses.replace(item, weak=np.zeros_like(item.weak))
    text = Page(render(ReportItem("silent", silent, analyze_item(silent, gammas=(1.0,), cost="bce")))).text
    assert "no events" in text
