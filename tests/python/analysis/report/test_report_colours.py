"""Contrasts of WCAG 2.2 AA in light and dark, from the style sheet: 4.5 for text, 3 for what is drawn.

Relative luminance and contrast ratio as the standard defines them; the filter that pictures have in the dark
as the CSS filter effects specification does.
"""

import re
from importlib.resources import files

import numpy as np
import pytest

from warplens.analysis.level_colors import LevelScale

TEXT, DRAWN = 4.5, 3.0
WHITE = np.array([255, 255, 255])


def style():
    return files("warplens.analysis.report").joinpath("templates/report.css").read_text("utf-8")


def variables(scheme):
    """The colours that the style sheet names, in one scheme."""
    blocks = re.findall(r":root \{(.*?)\}", style(), re.DOTALL)
    assert len(blocks) == 2
    named = {}
    for block in blocks[: 1 + (scheme == "dark")]:
        named |= dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6});", block))
    return {name: rgb(text) for name, text in named.items()}


def rgb(text):
    digits = text.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    return np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)])


def luminance(colour):
    share = np.asarray(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(one, share, other):
    return share * one + (1 - share) * other


def in_the_dark(colour):
    """invert(1) hue-rotate(180deg), whose matrix is 2 L - 1 with L the luma of each row."""
    luma = np.array([0.213, 0.715, 0.072])
    return np.clip((2 * np.outer(np.ones(3), luma) - np.eye(3)) @ (255 - np.asarray(colour)), 0, 255)


def test_contrast_is_that_of_the_standard():
    assert contrast(WHITE, 0 * WHITE) == pytest.approx(21)
    assert contrast(rgb("#777"), WHITE) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("background", ["paper", "faint"])
@pytest.mark.parametrize("name", ["ink", "soft", "loses", "lost", "link", "kept"])
def test_text_can_be_read(scheme, background, name):
    colours = variables(scheme)
    assert contrast(colours[name], colours[background]) >= TEXT


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_on_coloured_cells_can_be_read(scheme):
    colours = variables(scheme)
    for share in map(int, re.findall(r"color-mix\(in srgb, var\(--under\) (\d+)%", style())):
        for background in ("paper", "faint"):
            cell = mixed(colours["under"], share / 100, colours[background])
            assert contrast(colours["ink"], cell) >= TEXT


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["edge", "under", "lost", "kept", "curve", "soft", "link"])
def test_what_is_drawn_can_be_told_from_the_paper(scheme, name):
    colours = variables(scheme)
    assert contrast(colours[name], colours["paper"]) >= DRAWN
    if name == "edge":
        assert contrast(colours[name], colours["faint"]) >= DRAWN
    if name == "curve":
        (opacity,) = re.findall(r"stroke: var\(--curve\); stroke-opacity: ([\d.]+)", style())
        assert contrast(mixed(colours[name], float(opacity), colours["paper"]), colours["paper"]) >= DRAWN


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
def test_levels_on_either_side_of_the_threshold_can_be_told_from_nothing(scheme, threshold):
    scale = LevelScale(0.0, 1.0, threshold)
    just_under, just_over = np.nextafter(threshold, 0), threshold
    entries = scale.index(np.array([0.0, just_under, just_over, 1.0]))
    nothing, *levels = scale.palette()[entries].astype(float)
    if scheme == "dark":
        assert "filter: invert(1) hue-rotate(180deg)" in style()
        nothing, *levels = map(in_the_dark, (nothing, *levels))
    for level in levels:
        assert contrast(level, nothing) >= DRAWN
