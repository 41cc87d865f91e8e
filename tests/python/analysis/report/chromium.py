"""Headless Chromium for pages that are opened from the disk, without a network."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

PHONE, DESK = {"width": 400, "height": 800}, {"width": 1400, "height": 900}


@contextmanager
def running_chromium():
    """The browser, or a skip where there is none."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def careful_tab(browser, **options):
    """A tab that remembers what went wrong in it and what it asked for, and must do neither."""
    page = browser.new_page(**{"viewport": DESK, **options})
    page.set_default_timeout(60_000)
    page.wrong, page.asked = [], []
    page.on("console", lambda message: page.wrong.append(message.text))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url.partition(":")[0]))
    yield page
    assert page.wrong == []
    assert set(page.asked) <= {"file", "data"}
    page.close()


def keep(tab, tmp_path, name, **options):
    """Keep a picture of a tab in the folder of the test, and in the one that WARPLENS_SCREENSHOTS names."""
    for folder in {tmp_path, Path(os.environ.get("WARPLENS_SCREENSHOTS", tmp_path))}:
        folder.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=folder / f"{name}.png", **options)


def no_wider_than_the_window(tab):
    """Return True if nothing of the page lies beside the window."""
    return tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
