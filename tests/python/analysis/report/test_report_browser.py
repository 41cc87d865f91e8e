"""The report in headless Chromium, from the disk: it sorts, filters, links and shows, without a network.

Screenshots go to the folder that WARPLENS_SCREENSHOTS names, as well as to that of the test.
"""

import dataclasses
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")
pytest.importorskip("playwright")

from analysis.report.report_pages import entry, renamed, rows_of_all, write
from playwright.sync_api import sync_playwright

from warplens.analysis.item_analysis import analyze_item
from warplens.analysis.report import ReportItem, Sound, write_report

PHONE, DESK = {"width": 400, "height": 800}, {"width": 1400, "height": 900}


@pytest.fixture(scope="module")
def chromium():
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """A tab that remembers what went wrong in it and what it asked for."""
    page = chromium.new_page(viewport=DESK)
    page.set_default_timeout(60_000)
    page.wrong, page.asked = [], []
    page.on("console", lambda message: page.wrong.append(message.text))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url.partition(":")[0]))
    yield page
    assert page.wrong == []
    assert set(page.asked) <= {"file", "data"}
    page.close()


@pytest.fixture
def keep(tab, tmp_path):
    """Keeps a picture of the tab."""

    def kept(name, **options):
        for folder in {tmp_path, Path(os.environ.get("WARPLENS_SCREENSHOTS", tmp_path))}:
            folder.mkdir(parents=True, exist_ok=True)
            tab.screenshot(path=folder / f"{name}.png", **options)

    return kept


@pytest.fixture
def index(tmp_path):
    """The report of 120 items with measures at random; one has failed, the one most at risk has sounds."""
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
        texts += tab.locator(f".overview tbody tr > :nth-child({place})").all_inner_texts()
        if not onwards.is_visible() or onwards.is_disabled():
            return texts
        onwards.click()


def sort_by(tab, heading):
    tab.locator(".overview thead").get_by_role("button", name=heading, exact=True).click()


def no_wider_than_the_window(tab):
    return tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


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
    tab.get_by_role("link", name=worst, exact=True).click()
    assert tab.locator("h2").inner_text() == worst
    players = tab.locator("audio")
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
    tab.get_by_role("link", name=worst, exact=True).click()
    assert no_wider_than_the_window(tab)
    keep("item-phone", full_page=True)


def test_one_page_shows_rolls_and_follows_the_pointer(tab, keep, tmp_path):
    name = "<img src=x onerror=alert(1)>"
    write(tmp_path, [entry(), renamed(entry(seed=1), name)])
    tab.goto((tmp_path / "report.html").as_uri())
    assert tab.locator("section").count() == 2
    assert no_wider_than_the_window(tab)
    keep("one-page", full_page=True)
    tab.get_by_role("link", name=name, exact=True).click()
    section = tab.locator("section", has=tab.get_by_role("heading", name=name))
    assert section.locator("h2").bounding_box()["y"] < 100
    section.locator(".roll").nth(1).hover()
    assert "frame n =" in section.locator("output").inner_text()
    # A line in each roll and curve of prediction frames: predictions, strong, Y_mod and h at two gammas.
    assert section.locator(".cursor").count() == 6
    tab.get_by_role("button", name="one below the other").click()
    assert tab.locator(".rolls.below").count() == 2


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
