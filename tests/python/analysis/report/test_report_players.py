"""Players of the report in headless Chromium: playhead, position, and what is heard."""

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")
pytest.importorskip("playwright")

from analysis.report.chromium import careful_tab, running_chromium
from analysis.report.report_pages import entry, write

from warplens.analysis.report import Sound
from warplens.analysis.sonify import SAMPLE_RATE, write_wav

GAMMAS = (0.1, 10.0)


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def tab(chromium):
    with careful_tab(chromium) as page:
        yield page


@pytest.fixture
def item(tab, tmp_path):
    """One item with a quiet sound of its length at each gamma, open in the tab."""
    sounds = tuple(Sound(f"{gamma:g}.wav", gamma, "left this, right that") for gamma in GAMMAS)
    one = entry(gammas=GAMMAS, sounds=sounds)
    for sound in sounds:
        length = round(len(one.item.predictions) / 10 * SAMPLE_RATE)
        write_wav(tmp_path / sound.path, 0.001 * np.sin(np.arange(length) / 20))
    write(tmp_path, [one])
    tab.goto((tmp_path / "report.html").as_uri())
    return one


def position(tab):
    return float(tab.get_by_label("Position").input_value())


def played_from(tab):
    """Where the sound that is heard stands, in seconds."""
    here = "[...document.querySelectorAll('.which button')].findIndex((it) => it.ariaPressed === 'true')"
    return tab.evaluate(f"document.querySelectorAll('audio')[{here}].currentTime")


def heard(tab):
    return tab.locator(".which [aria-pressed=true]").inner_text()


def test_one_player_stands_for_all_sounds(tab, item):
    assert tab.locator(".sounds").count() == 0
    assert tab.locator(".which button").all_inner_texts() == ["γ = 0.1", "γ = 10"]
    assert heard(tab) == "γ = 0.1"
    assert tab.locator("audio:visible").count() == 0
    assert "left this, right that" in tab.locator(".player").inner_text()


def test_a_click_on_a_roll_goes_there_and_lets_that_gamma_be_heard(tab, item):
    roll = tab.locator(".lesson .roll").last
    box = roll.bounding_box()
    roll.click(position={"x": 0.75 * box["width"], "y": 20})
    seconds = len(item.item.predictions) / 10
    assert position(tab) == pytest.approx(0.75 * seconds, abs=0.05)
    assert heard(tab) == "γ = 10"
    assert tab.locator("figure.heard").get_attribute("data-gamma") == "10"
    heads = tab.locator(".playhead:visible")
    assert heads.count() == 2
    for head in heads.all():
        left = head.evaluate("it => parseFloat(it.style.left)")
        assert left == pytest.approx(75, abs=1)
    # The other gamma is heard from the same position on.
    tab.get_by_role("button", name="γ = 0.1").click()
    assert heard(tab) == "γ = 0.1"
    assert position(tab) == pytest.approx(0.75 * seconds, abs=0.05)
    assert played_from(tab) == pytest.approx(0.75 * seconds, abs=0.05)
    assert tab.locator(".lesson .playhead").last.evaluate("it => parseFloat(it.style.left)") == pytest.approx(
        75, abs=1
    )


def test_what_is_played_moves_the_playhead_and_goes_on_with_the_other_gamma(tab, item):
    tab.get_by_role("button", name="play").click()
    tab.wait_for_function("document.querySelector('.player input').value > 0.2")
    tab.get_by_role("button", name="γ = 10").click()
    before = position(tab)
    tab.wait_for_function(f"document.querySelector('.player input').value > {before} + 0.1")
    playing = tab.locator("audio").evaluate_all("them => them.map((it) => !it.paused)")
    assert playing == [False, True]
    tab.get_by_role("button", name="pause").click()
    assert tab.locator("audio").evaluate_all("them => them.every((it) => it.paused)")
