"""The report in headless Chromium, from the disk: it sorts, filters, links and shows, without a network.

Screenshots go to the folder that WARPLENS_SCREENSHOTS names, as well as to that of the test.
"""

import dataclasses
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")
pytest.importorskip("playwright")

from analysis.report.chromium import PHONE, careful_tab, no_wider_than_the_window, running_chromium
from analysis.report.chromium import keep as keep_picture
from analysis.report.report_pages import entry, renamed, rows_of_all, write

from warplens.analysis.item_analysis import analyze_item
from warplens.analysis.report import ReportItem, Sound, write_report
from warplens.analysis.ticks import note_name


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def tab(chromium):
    with careful_tab(chromium) as page:
        yield page


@pytest.fixture
def keep(tab, tmp_path):
    return partial(keep_picture, tab, tmp_path)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The report of 120 items with measures at random; one has failed, the one most at risk has sounds."""
    tmp_path = tmp_path_factory.mktemp("index")
    rng = np.random.default_rng(0)
    like = entry(gammas=(0.1, 1.0, 10.0))
    items = [renamed(like, f"set {i % 3}/take #{i}") for i in range(119)]
    items.append(ReportItem("set 0/broken", error="predictions: NaN at frame 3"))
    rows = rows_of_all(items)
    for row in rows:
        if row["status"] == "ok":
            lost = int(rng.integers(0, row["events"]))
            row |= {"events_below_threshold": lost, "blur": round(float(rng.random() * 9), 2)}
    worst = max((row for row in rows if row["status"] == "ok"), key=lambda row: row["events_below_threshold"])
    worst["events_below_threshold"] = worst["events"]
    sounds = tuple(Sound(f"items/{worst['id']}.gamma{gamma:g}.wav", gamma) for gamma in (0.1, 1.0, 10.0))
    by_id = {each.id: each for each in items} | {worst["id"]: renamed(like, worst["id"], sounds=sounds)}
    for sound in sounds:
        (tmp_path / sound.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / sound.path).write_bytes(b"RIFF")
    write_report(tmp_path, rows, by_id.__getitem__)
    return tmp_path / "report.html", rows, worst["id"]


def column(tab, heading):
    """Texts of one column of the table, over all its pages."""
    # Headings that span both rows of the head stand before the others.
    headings = tab.locator(".overview thead tr:first-child > [rowspan], .overview thead tr:nth-child(2) > th")
    place = headings.all_inner_texts().index(heading) + 1
    back, onwards = (tab.locator(f".pager [data-step='{step}']") for step in (-1, 1))
    while back.is_enabled():
        back.click()
    texts = []
    while True:
        cells = tab.locator(f".overview tbody tr > :nth-child({place})")
        texts += cells.evaluate_all("them => them.map((it) => it.textContent)")
        if not onwards.is_visible() or onwards.is_disabled():
            return texts
        onwards.click()


def sort_by(tab, heading):
    tab.locator(".overview thead").get_by_role("button", name=heading, exact=True).click()


def test_index_sorts_by_any_column(tab, keep, index):
    path, rows, worst = index
    tab.goto(path.as_uri())
    assert tab.asked == ["file"]
    keep("index")
    ids = column(tab, "item")
    assert len(ids) == 120
    assert ids[0] == worst
    assert ids[-1] == "set 0/broken"
    blur = sorted((row["blur"] for row in rows if row.get("gamma") == 10), reverse=True)
    sort_by(tab, "blur (frames)")
    assert column(tab, "blur (frames)") == [f"{value:.2f}" for value in blur]
    sort_by(tab, "blur (frames)")
    assert column(tab, "blur (frames)") == [f"{value:.2f}" for value in blur[::-1]]
    assert tab.locator("[aria-sort=ascending]").inner_text() == "blur (frames)"


def test_index_sorts_by_the_measures_of_any_gamma_and_by_name(tab, index):
    path, rows, _ = index
    tab.goto(path.as_uri() + "?sort=blur&order=up")
    tab.get_by_label("Measures at γ =").select_option("0.1")
    blur = sorted(row["blur"] for row in rows if row.get("gamma") == 0.1)
    assert column(tab, "blur (frames)") == [f"{value:.2f}" for value in blur]
    sort_by(tab, "item")
    assert column(tab, "item") == sorted({row["id"] for row in rows})


def test_index_filters_by_name_and_kind(tab, index):
    path, rows, _ = index
    tab.goto(path.as_uri())
    tab.get_by_label("Find").fill("#5 SET 1/")
    assert sorted(column(tab, "item")) == sorted(
        {row["id"] for row in rows if "set 1" in row["id"] and "#5" in row["id"]}
    )
    tab.get_by_label("Find").fill("nowhere")
    assert tab.locator(".overview tbody tr").count() == 0
    assert "0 of 120 items" in tab.locator(".items output").inner_text()
    tab.get_by_label("Find").fill("")
    tab.get_by_label("Show").select_option("failed")
    assert column(tab, "item") == ["set 0/broken"]
    assert "NaN at frame 3" in tab.locator(".overview tbody").inner_text()
    tab.get_by_label("Show").select_option("with a page")
    assert len(column(tab, "item")) == 50


@pytest.mark.slow
def test_index_links_a_page_with_its_players(tab, keep, index):
    path, _, worst = index
    tab.goto(path.as_uri())
    tab.locator(".overview").get_by_role("link", name=worst, exact=True).click()
    assert tab.locator("h2").inner_text() == worst
    players = tab.locator(".player audio")
    assert players.count() == 3
    for player in players.all():
        sound = url2pathname(urlsplit(player.evaluate("it => it.src")).path)
        assert Path(sound).read_bytes() == b"RIFF"
    # Index and page alone: no sound is loaded before it is asked for.
    assert tab.asked.count("file") == 2
    keep("item", full_page=True)
    tab.get_by_role("link", name="all items").click()
    assert tab.locator("h1").inner_text() == "What this loss teaches"


def test_pages_fit_a_phone_and_the_dark(tab, keep, index):
    path, _, worst = index
    tab.set_viewport_size(PHONE)
    tab.emulate_media(color_scheme="dark")
    tab.goto(path.as_uri())
    assert no_wider_than_the_window(tab)
    keep("index-phone")
    tab.locator(".overview").get_by_role("link", name=worst, exact=True).click()
    assert no_wider_than_the_window(tab)
    keep("item-phone", full_page=True)


def test_one_page_shows_rolls_and_follows_the_pointer(tab, keep, tmp_path):
    name = "<img src=x onerror=alert(1)>"
    write(tmp_path, [entry(), renamed(entry(seed=1), name)])
    tab.goto((tmp_path / "report.html").as_uri())
    assert tab.locator("section.item").count() == 2
    assert no_wider_than_the_window(tab)
    keep("one-page", full_page=True)
    tab.locator(".overview").get_by_role("link", name=name, exact=True).click()
    section = tab.locator("section", has=tab.get_by_role("heading", name=name))
    assert section.locator("h2").bounding_box()["y"] < 100
    section.locator(".roll").nth(1).hover()
    assert "frame n =" in tab.locator(".tip").inner_text()
    # A line in each roll and curve of prediction frames: predictions, strong, Y_mod and h at two gammas.
    assert section.locator(".cursor").count() == 6
    tab.get_by_role("button", name="one below the other").click()
    assert tab.locator(".rolls.below").count() == 2


def test_the_view_is_kept_in_the_address_and_leads_from_page_to_page(tab, index):
    path, _, _ = index
    tab.goto(path.as_uri())
    tab.get_by_label("Find").fill("set 1")
    tab.get_by_label("Show").select_option("with a page")
    sort_by(tab, "item")
    assert tab.url.startswith(path.as_uri() + "?")
    seen = column(tab, "item")
    assert seen == sorted(seen)
    assert 2 < len(seen) < 50
    tab.reload()
    assert column(tab, "item") == seen
    assert tab.get_by_label("Find").input_value() == "set 1"
    tab.locator(".overview").get_by_role("link", name=seen[1], exact=True).click()
    for item in (seen[1], seen[2]):
        assert tab.locator("h2").inner_text() == item
        tab.get_by_role("link", name="next item").click()
        tab.wait_for_url("**/items/**")
    assert tab.locator("h2").inner_text() == seen[3]
    tab.get_by_role("link", name="previous item").click()
    tab.wait_for_url("**/items/**")
    assert tab.locator("h2").inner_text() == seen[2]
    tab.get_by_role("link", name="all items").click()
    assert column(tab, "item") == seen
    assert tab.locator("[aria-sort=ascending]").inner_text() == "item"


def test_what_an_address_asks_for_and_is_not_there_is_left_out(tab, index):
    path, _, worst = index
    tab.goto(path.as_uri() + "?sort=nothing&show=none&at=7&page=99&from=nobody&step=1")
    ids = column(tab, "item")
    assert len(ids) == 120
    assert ids[0] == worst


@pytest.fixture
def short_page(tab, tmp_path):
    """The report of two items, open in the tab."""
    entries = [entry(gammas=(0.1, 30.0)), renamed(entry("two", 1, gammas=(0.1, 30.0)), "two")]
    write(tmp_path, entries)
    tab.goto((tmp_path / "report.html").as_uri())
    return entries


def gap(box, x, y):
    """Return the distance of a point from a box, in pixels along the axis in which that is more."""
    across = max(box["x"] - x, x - box["x"] - box["width"])
    return max(across, box["y"] - y, y - box["y"] - box["height"])


def told(tab):
    return tab.locator(".tip").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pointer_is_told_time_note_and_level(tab, short_page, scheme):
    tab.emulate_media(color_scheme=scheme)
    one = short_page[0]
    roll = tab.locator("#item-one .lesson .roll").last
    shown = tab.locator("#item-one .rolls")
    low, count = (int(shown.get_attribute(f"data-{name}")) for name in ("low", "count"))
    box, y_mod = roll.bounding_box(), one.analysis.y_mod[-1]
    for frame, feature in ((0, 0), (7, 2), (len(y_mod) - 1, 4)):
        across = box["width"] * (frame + 0.5) / len(y_mod)
        down = box["height"] * (1 - (feature - low + 0.5) / count)
        roll.hover(position={"x": across, "y": down})
        seconds, n, name, level = told(tab).split(", ")
        assert seconds == f"{frame / 10:.2f} s"
        assert n == f"frame n = {frame}"
        assert name == note_name(60 + feature)
        assert float(level.removeprefix("level ")) == pytest.approx(y_mod[frame, feature], abs=0.0075)
        assert gap(tab.locator(".tip").bounding_box(), box["x"] + across, box["y"] + down) < 25
    tab.mouse.move(2, 2)
    assert tab.locator(".tip").is_hidden()


def test_the_keyboard_is_told_the_same(tab, short_page):
    roll = tab.locator("#item-one .lesson .roll").first
    while not roll.evaluate("it => it === document.activeElement"):
        tab.keyboard.press("Tab")
    begin = told(tab)
    level = float(begin.rpartition("level ")[2])
    assert level >= 0.1
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowUp")
    seconds, n, name, _ = told(tab).split(", ")
    first = int(begin.split(", ")[1].removeprefix("frame n = "))
    assert n == f"frame n = {first + 1}"
    assert seconds == f"{(first + 1) / 10:.2f} s"
    assert name != begin.split(", ")[2]
    tab.keyboard.press("Escape")
    assert tab.locator(".tip").is_hidden()


def test_a_finger_is_told_and_what_it_asked_for_stays(chromium, tmp_path):
    write(tmp_path, [entry()])
    with careful_tab(chromium, viewport=PHONE, has_touch=True) as tab:
        tab.goto((tmp_path / "report.html").as_uri())
        tab.locator(".lesson .roll").first.tap()
        assert "level" in told(tab)


def test_dots_are_told_and_labelled(tab, short_page):
    one = short_page[0].analysis
    section = tab.locator("#item-one")
    section.get_by_text("Peaks over durations, measures and events").click()
    plot = section.locator(".dots").last
    names = [label.inner_text() for label in plot.locator("b").all()]
    lost = np.flatnonzero(one.levels.peak[-1] < 0.5)
    lowest = lost[np.argmin(one.levels.peak[-1, lost])]
    assert names[0] == note_name(60 + one.events.feature[lowest])
    plot.focus()
    tab.keyboard.press("ArrowRight")
    assert "peak" in told(tab)
    words = set()
    for _ in range(len(one.events)):
        tab.keyboard.press("ArrowRight")
        words.add(told(tab))
    for k in range(len(one.events)):
        name = note_name(60 + one.events.feature[k])
        time = one.levels.peak_frame[-1, k] / 10
        assert any(
            word.startswith(f"{name} at {time:.2f} s: peak")
            and abs(float(word.split("peak ")[1].split(",")[0]) - one.levels.peak[-1, k]) < 0.011
            for word in words
        )


def test_items_beyond_ten_are_unfolded_when_they_are_asked_for(tab, tmp_path):
    like = entry()
    write(tmp_path, [renamed(like, f"{i:02}") for i in range(14)])
    tab.goto((tmp_path / "report.html").as_uri())
    assert tab.locator("section.item:visible").count() == 10
    tab.locator(".overview").get_by_role("link", name="13", exact=True).click()
    heading = tab.locator("#item-13 h2")
    assert heading.is_visible()
    assert 0 <= heading.bounding_box()["y"] < 900


@pytest.mark.parametrize("width", [1400, 1280, 400])
def test_no_summary_is_clipped(tab, tmp_path, width):
    like = entry(gammas=(0.1, 1.0, 10.0))
    write(tmp_path, [renamed(like, f"take {i}") for i in range(9)])
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto((tmp_path / "report.html").as_uri())
    assert no_wider_than_the_window(tab)
    tables = tab.locator(".summary")
    assert tables.count() == 2
    for table in tables.all():
        for cell in table.locator("td:visible, th:visible").all():
            box = cell.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert cell.evaluate("it => it.scrollWidth <= it.clientWidth + 1")


def test_a_long_roll_is_stretched_within_the_page(tab, keep, tmp_path):
    short = entry().item
    arrays = {name: np.tile(getattr(short, name), (60, 1)) for name in ("predictions", "weak", "strong")}
    long = dataclasses.replace(short, **arrays)
    write(tmp_path, [ReportItem("long", long, analyze_item(long, gammas=(1.0,), cost="bce"))])
    tab.goto((tmp_path / "report.html").as_uri())
    width = tab.locator(".roll").nth(1).bounding_box()["width"]
    tab.get_by_role("button", name="× 8").click()
    assert tab.locator(".roll").nth(1).bounding_box()["width"] > 7 * width
    assert no_wider_than_the_window(tab)
    keep("long-roll")
