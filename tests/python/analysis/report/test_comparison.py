"""The page of a comparison: what is regained is drawn first, and its numbers are those of the events."""

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from analysis.report.chromium import careful_tab, no_wider_than_the_window, running_chromium
from analysis.report.chromium import keep as keep_picture
from analysis.report.report_pages import Page, assert_needs_nothing, entry

from warplens.analysis.compared_events import ComparedEvents, most_changed_first, pool_compared
from warplens.analysis.report.comparison import ComparedSide, comparison_headline, write_comparison

FIRST, SECOND = ComparedSide("one", 30.0), ComparedSide("two", 0.1)


def compared(item_id, analysis):
    """The events of an item at its largest gamma, then at its smallest."""
    kept = analysis.levels.peak >= analysis.threshold
    return ComparedEvents(item_id, kept[-1], kept[0])


def write_page(path, ids, **options):
    analyses = {item_id: entry(seed=seed, gammas=(0.1, 30.0)).analysis for seed, item_id in enumerate(ids)}
    items = [compared(item_id, analysis) for item_id, analysis in analyses.items()]
    write_comparison(
        path,
        FIRST,
        SECOND,
        items,
        lambda item_id: ((analyses[item_id], 1), (analyses[item_id], 0)),
        threshold=0.5,
        **options,
    )
    return items


def test_the_page_is_whole_and_draws_what_is_regained(tmp_path):
    items = write_page(tmp_path / "c.html", ["a", "b"])
    html = (tmp_path / "c.html").read_text()
    assert_needs_nothing(html)
    page = Page(html)
    pooled = pool_compared(items, "all")
    assert pooled.n_regained > 0
    assert f"two (γ = 0.1) keeps {pooled.n_regained} of the {pooled.lost_by_first} events" in page.text
    marks = [attributes["d"].count("M") for attributes in page.all("path", **{"class": "regained"})]
    drawn = [item.n_regained for item in most_changed_first(items) if item.changed]
    assert marks == [n for n in drawn if n for _ in range(2)]
    assert html.index('class="roll') < html.index("<table")
    write_page(tmp_path / "again.html", ["a", "b"])
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "c.html").read_bytes()


def test_names_and_reasons_are_text(tmp_path):
    hostile = '<script>alert("x")</script>&'
    write_page(tmp_path / "c.html", [hostile, "caf\udce9"], left_out={"<b>": "</dd><script>"})
    page = Page((tmp_path / "c.html").read_bytes().decode())
    assert hostile in page.text
    assert "caf\\udce9" in page.text
    assert "</dd><script>" in page.text
    assert len(page.all("script")) == 1


def test_beyond_ten_items_the_rest_is_folded(tmp_path):
    write_page(tmp_path / "c.html", [f"{i:02}" for i in range(12)])
    page = Page((tmp_path / "c.html").read_text())
    changed = len(page.all("section", **{"class": "item"}))
    assert changed > 10
    (rest,) = page.all("details", **{"class": "rest"})
    assert "open" not in rest
    assert f"{changed - 10} more item" in page.text


def test_nothing_changed_says_so(tmp_path):
    kept = np.array([True, False])
    write_comparison(
        tmp_path / "c.html", FIRST, SECOND, [ComparedEvents("a", kept, kept)], lambda _: None, threshold=0.5
    )
    text = Page((tmp_path / "c.html").read_text()).text
    assert "Both keep and lose the same events" in text


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (
            [0, 0, 0, 1],
            [1, 0, 0, 0],
            "B keeps 1 of the 3 events that A loses (33.3 %); B loses 1 that A keeps.",
        ),
        ([1, 1], [1, 1], "A loses none of 2 events; B loses none that A keeps."),
    ],
)
def test_the_headline_says_what_is_regained_and_newly_lost(first, second, words):
    events = ComparedEvents("x", np.array(first, bool), np.array(second, bool))
    assert comparison_headline(events, "A", "B") == words


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_the_page_works_in_a_browser(tmp_path, width, scheme):
    write_page(tmp_path / "c.html", ["a", "b"])
    with running_chromium() as browser, careful_tab(browser, color_scheme=scheme) as tab:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto((tmp_path / "c.html").as_uri())
        assert no_wider_than_the_window(tab)
        tab.locator(".lesson .roll").first.hover()
        assert "level" in tab.locator(".tip").inner_text()
        keep_picture(tab, tmp_path, f"comparison-{width}", full_page=True)
