"""The report is read again: what it says and shows, and that it needs nothing beside itself."""

import base64
import io
import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item
from PIL import Image

from warplens.analysis.item_analysis import analyze_item
from warplens.analysis.report import ReportItem, write_report
from warplens.corpus.table import failed_row, rows_of

VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """Tags opened and closed, attributes, and text by the section it stands in."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def render(*entries, threshold=0.5, **options):
    rows = []
    for entry in entries:
        rows += [failed_row(entry.id, entry.error)] if entry.error else rows_of(entry.id, entry.analysis)
    with tempfile.TemporaryDirectory() as out:
        by_id = {entry.id: entry for entry in entries}
        write_report(Path(out), rows, by_id.__getitem__, threshold=threshold, **options)
        return (Path(out) / "report.html").read_bytes()


def entry(item_id="one", seed=0, gammas=(0.1, 10.0), **known):
    item = sample_item(seed, n_targets=12, **known)
    return ReportItem(item_id, item, analyze_item(item, gammas=gammas, cost="bce"))


def test_page_is_whole_and_needs_nothing_beside_itself():
    html = render(entry(), entry("two", 1)).decode()
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed")
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith(("#", "data:"))
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|@import|url\(", html)


def test_page_shows_every_roll_with_its_own_shape():
    one = entry(strong=None)
    page = Page(render(one).decode())
    sizes = []
    for tag, attributes in page.tags:
        if tag == "img":
            png = base64.b64decode(attributes["src"].partition(",")[2])
            with Image.open(io.BytesIO(png)) as image:
                sizes.append(image.size)
    n_frames, n_targets, n_features = one.analysis.shape
    # Weak target, predictions, Y_mod at two gammas, and the colour scale; no strong target is known.
    rolls = [(n_targets, n_features), *[(n_frames, n_features)] * 3, (256, 1)]
    assert sizes == rolls
    assert len([1 for tag, attributes in page.tags if attributes.get("aria-label") == "h(n)"]) == 2
    assert "Strong target" not in page.text
    assert "Strong target" in Page(render(entry()).decode()).text


def test_page_says_how_many_events_are_lost():
    one, two = entry(), entry("two", 1)
    text = Page(render(one, two).decode()).text
    for g, gamma in enumerate(("0.1", "10")):
        lost = [int((each.analysis.levels.peak[g] < 0.5).sum()) for each in (one, two)]
        total = [len(each.analysis.events) for each in (one, two)]
        assert f"{sum(lost)} of {sum(total)} events" in text
        assert f"{lost[0]} of {total[0]} at γ = {gamma}" in text
    assert "2 items with" in text


def test_lost_events_are_listed_with_their_names():
    one = entry(gammas=(30.0,))
    lost = np.flatnonzero(one.analysis.levels.peak[0] < 0.5)
    assert len(lost) > 0
    page = Page(render(one).decode())
    rows = [attributes for tag, attributes in page.tags if tag == "td" and attributes.get("class") == "lost"]
    assert len(rows) == len(lost)
    marks = [
        attributes["d"]
        for tag, attributes in page.tags
        if attributes.get("class") == "lost" and tag == "path"
    ]
    assert [mark.count("M") for mark in marks] == [len(lost), len(lost)]
    assert "C4" in page.text


def test_axes_are_frames_and_features_where_time_and_pitch_are_not_known():
    text = Page(render(entry(fps=None, lowest_pitch=None, strong=None)).decode()).text
    assert "prediction frame n" in text
    assert "time (s)" not in text
    assert "C4" not in text


def test_failures_and_hostile_names_are_shown_as_text():
    name = '<script>alert("x")</script>&'
    html = render(entry(name), ReportItem("broken", error="no array <weak>")).decode()
    page = Page(html)
    assert name in page.text
    assert "no array <weak>" in page.text
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert "No item could be analysed" in Page(render(ReportItem("x", error="y")).decode()).text


def test_a_name_that_is_not_unicode_does_not_stop_the_page():
    assert b"caf\\udce9" in render(entry("caf\udce9"))


def test_same_items_same_bytes():
    assert render(entry(), entry("two", 1)) == render(entry(), entry("two", 1))


def test_page_runs_in_a_browser(tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed")
    path = tmp_path / "report.html"
    path.write_bytes(render(entry(), entry("two", 1)))
    shown = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=2000", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    # The script's last step at the start is to mark the layout in use; until then the buttons are hidden.
    page = Page(shown)
    assert ("button", {"type": "button", "data-layout": "", "aria-pressed": "true"}) in page.tags
    assert "Y_mod, γ = 10" in page.text
