"""Above fifty items the report is an index and pages, whose links resolve."""

import json
import os
from urllib.parse import unquote_to_bytes

import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from analysis.report.report_pages import Page, assert_needs_nothing, entry, renamed, rows_of_all, write
from jinja2 import Environment

from warplens.analysis.report import ReportItem, Sound, write_report
from warplens.analysis.report import page as filling

HOSTILE = ["<script>x", "caf\udce9", "a b/c #d?/100% \"'", "deep/er/one", "c:d", "Ä/é", "javascript:alert(1)"]


@pytest.fixture(scope="module")
def samples():
    return [entry(seed=seed) for seed in range(3)]


@pytest.fixture
def many(samples):
    """Sixty items: most plain, some with names that are hard to link, one failed."""
    named = [renamed(samples[i % 3], f"item-{i:02}") for i in range(60 - len(HOSTILE) - 1)]
    return [*named, *(renamed(samples[2], name) for name in HOSTILE), ReportItem("broken", error="no <weak>")]


def data_of(out):
    html = (out / "report.html").read_bytes().decode()
    return json.loads(html.partition('id="item-data">')[2].partition("</script>")[0])


def pages_in(out):
    return {path for path in out.rglob("*.html") if path.parent != out}


def resolved(page, address):
    """The file that an address on a page leads to."""
    return os.path.normpath(os.fsencode(page.parent) + b"/" + unquote_to_bytes(address))


def follow_neighbours(out, data):
    """From the first page by "next" through all of them, and back by "previous"."""
    pages = pages_in(out)
    links = {}
    for page in pages:
        for link in Page(page.read_bytes().decode()).all("a"):
            if "rel" in link:
                links[os.fsencode(page), link["rel"]] = resolved(page, link["href"])
    (first,) = (page for page in map(os.fsencode, pages) if (page, "prev") not in links)
    there = [first]
    while (there[-1], "next") in links:
        there.append(links[there[-1], "next"])
        assert links[there[-1], "prev"] == there[-2]
    assert len(there) == len(set(there)) == len(pages) == len(data["pages"])


def test_once_prepared_no_template_is_compiled_again(tmp_path, many, monkeypatch):
    filling._environment.cache_clear()
    filling.prepare()
    monkeypatch.setattr(Environment, "compile", None)
    write(tmp_path / "many", many)
    write(tmp_path / "few", many[:2])


def test_links_lead_to_pages_and_back(tmp_path, many):
    write(tmp_path, many, pages="all")
    data = data_of(tmp_path)
    pages = pages_in(tmp_path)
    assert len(pages) == 59
    linked = {resolved(tmp_path / "report.html", address) for address in data["pages"].values()}
    assert linked == {os.fsencode(page) for page in pages}
    for address in data["pages"].values():
        assert address.startswith("items/")
    for page in pages:
        html = page.read_bytes().decode()
        assert_needs_nothing(html)
        back, *neighbours = Page(html).all("a")
        assert resolved(page, back["href"]) == os.fsencode(tmp_path / "report.html")
        assert {resolved(page, link["href"]) for link in neighbours} <= linked
        assert [link["rel"] for link in neighbours] in (["prev", "next"], ["prev"], ["next"])
        assert "Weak target" in html
    follow_neighbours(tmp_path, data)
    index = (tmp_path / "report.html").read_bytes().decode()
    assert_needs_nothing(index)
    # It opens with the lessons of ten items, and nothing more of them.
    assert len(Page(index).all("section", **{"class": "item"})) == 10
    assert "Weak target" not in index
    assert "no <weak>" in Page(index).text


def test_only_the_items_most_at_risk_get_a_page(tmp_path, many):
    loaded = []
    by_id = {each.id: each for each in many}
    rows = rows_of_all(many)
    write_report(tmp_path, iter(rows), lambda item_id: loaded.append(item_id) or by_id[item_id])
    assert len(set(loaded)) == len(pages_in(tmp_path)) == len(data_of(tmp_path)["pages"]) == 50
    # One after the other for their pages, and the worst ten of them once more for the lessons of the index.
    assert loaded[50:] == loaded[:10]
    lost = {}
    for row in rows:
        if row["status"] == "ok":
            lost[row["id"]] = max(lost.get(row["id"], 0), row["events_below_threshold"])
    left_out = [n for item_id, n in lost.items() if item_id not in loaded]
    assert max(left_out) <= min(lost[item_id] for item_id in loaded)


def test_fifty_items_are_one_page(tmp_path, many):
    write(tmp_path, many[:50], pages="all")
    assert pages_in(tmp_path) == set()
    page = Page((tmp_path / "report.html").read_bytes().decode())
    assert page.text.count("Weak target, predictions, strong target") == 50
    (rest,) = page.all("details", **{"class": "rest"})
    assert "open" not in rest
    assert "40 more items, with fewer events at risk" in page.text


def test_same_items_same_bytes(tmp_path, many):
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, many)
        paths = sorted((tmp_path / name).rglob("*.*"))
        contents.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in paths])
    assert contents[0] == contents[1]


def test_a_page_that_cannot_be_written_costs_no_other(tmp_path, many, samples):
    # One item is called as the folder that another lies in; the name of a third is too long for a page.
    crossed = [renamed(samples[0], "x"), renamed(samples[0], "x.html/y"), renamed(samples[0], "z" * 252)]
    write(tmp_path, [*many, *crossed], pages="all")
    data = data_of(tmp_path)
    linked = {data["ids"][int(i)] for i in data["pages"]}
    assert len(linked & {"x", "x.html/y"}) == 1
    assert "z" * 252 not in linked
    assert len(linked) == 60
    follow_neighbours(tmp_path, data)
    assert not list(tmp_path.rglob("*.part"))


def test_sounds_are_linked_from_pages(tmp_path, many, samples):
    sound = tmp_path / "items/deep/er/one.gamma10 ü.wav"
    sound.parent.mkdir(parents=True)
    sound.write_bytes(b"RIFF")
    sounding = renamed(samples[2], "deep/er/one", sounds=(Sound("items/deep/er/one.gamma10 ü.wav", 10.0),))
    others = [each for each in many if each.id != "deep/er/one"]
    write(tmp_path, [*others, sounding], pages="all")
    page = tmp_path / "items/deep/er/one.html"
    (player,) = Page(page.read_bytes().decode()).all("audio")
    assert resolved(page, player["src"]) == os.fsencode(sound)


def test_an_item_that_cannot_be_read_again_says_so(tmp_path, many):
    by_id = {each.id: each for each in many}

    def load(item_id):
        return ReportItem(item_id, error="it changed") if item_id == "item-02" else by_id[item_id]

    write_report(tmp_path, rows_of_all(many), load, pages="all")
    assert "Not analysed: it changed" in Page((tmp_path / "items/item-02.html").read_bytes().decode()).text
