"""One item as a page shows it: its lesson, then what it is made from, with every number already text.

The lesson is Y_mod, the smallest gamma first: what the loss teaches to lose is seen in it before any number.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.level_colors import LevelScale, predicted_levels
from warplens.analysis.losses.alignments import LEAST_PRESENCE
from warplens.analysis.losses.shown import class_names, events_by_row
from warplens.analysis.percent import percent
from warplens.analysis.report.event_table import EventTable, event_table
from warplens.analysis.report.magnitude import MagnitudePlot, magnitude_plots
from warplens.analysis.report.measure_table import MeasureTable, measure_tables
from warplens.analysis.report.panels import (
    HIGH_ROLL,
    LOW_ROLL,
    Curve,
    Panel,
    RollAxes,
    curve,
    curve_top,
    performed_marks,
    target_marks,
)
from warplens.io import Item

_MARGIN_FEATURES = 1

_MOST_ROLLS_OF_A_LESSON = 3
"""Where a run has more gammas, two show the lesson: the one that loses fewest and the one that loses most."""


@dataclass(frozen=True)
class Lesson:
    """Modified targets that show what is taught, in pictures.

    Attributes:
        verdict: how many events are lost at each gamma, in a sentence.
        loses: whether any is.
        axes: what all rolls of the item share.
        rolls: Y_mod at the gammas that tell most, ascending.
        word: what an event is called.
    """

    verdict: str
    loses: bool
    axes: RollAxes
    rolls: list[Panel]
    word: str


@dataclass(frozen=True)
class ItemView:
    """Content of one item for the template; all but the lesson may be folded away.

    Attributes:
        lesson: what is taught, in pictures.
        facts: sizes and settings.
        gammas: of the columns of the tables.
        threshold: level under which an event is lost.
        sources: weak target, predictions and, if known, strong target.
        other_rolls: Y_mod at the gammas that the lesson leaves out.
        curves: h(n) at each gamma.
        cut_features: whether some features are not drawn.
        measures: tables of measures.
        magnitudes: plots of events.
        events: the events with the lowest peaks.
        word: what an event is called.
    """

    lesson: Lesson
    facts: list[str]
    gammas: list[str]
    threshold: str
    sources: list[Panel]
    other_rolls: list[Panel]
    curves: list[Curve]
    cut_features: bool
    measures: list[MeasureTable]
    magnitudes: list[MagnitudePlot]
    events: EventTable
    word: str


def item_lesson(item: Item, analysis: ItemAnalysis) -> Lesson:
    """Lay out the lesson of one item alone."""
    axes = _axes(item, analysis, predicted_levels(item.predictions, analysis.cost), LOW_ROLL)
    return _lesson(axes, analysis, _telling_gammas(analysis))


def item_view(item: Item, analysis: ItemAnalysis, *, high: bool = False) -> ItemView:
    """Lay out one item.

    Args:
        item: the item.
        analysis: its analysis.
        high: whether the rolls are as high as a page for one item has room for.
    """
    predictions = predicted_levels(item.predictions, analysis.cost)
    axes = _axes(item, analysis, predictions, HIGH_ROLL if high else LOW_ROLL)
    telling = _telling_gammas(analysis)
    gammas = [format(gamma, "g") for gamma in analysis.gammas]
    top = curve_top(analysis.h)
    return ItemView(
        lesson=_lesson(axes, analysis, telling),
        facts=_facts(item, analysis),
        gammas=gammas,
        threshold=axes.threshold,
        sources=_sources(axes, item, analysis, predictions),
        other_rolls=[_y_mod(axes, analysis, g) for g in range(len(gammas)) if g not in telling],
        curves=[curve(f"h(n), γ = {gamma}", h, top) for gamma, h in zip(gammas, analysis.h, strict=True)],
        cut_features=axes.rows < analysis.shape[2],
        measures=measure_tables(analysis),
        magnitudes=magnitude_plots(analysis, item.fps, item.lowest_pitch),
        events=event_table(item, analysis),
        word=analysis.loss.target_word,
    )


def verdict(lost: list[int], total: int, gammas: list[str], word: str = "event") -> str:
    """Say how many of an item's events are lost at each gamma."""
    if total == 0:
        if word == "label":
            return "The item has no labels."
        return "The weak target has no events: nothing is ever active in it."
    if not any(lost):
        return f"Keeps all {total} {word}s at γ = {', '.join(gammas)}."
    counts = [f"{n} of {total} at γ = {gamma}" for n, gamma in zip(lost, gammas, strict=True)]
    return f"{word.capitalize()}s lost: {', '.join(counts)}."


def _lesson(axes: RollAxes, analysis: ItemAnalysis, telling: list[int]) -> Lesson:
    lost = [int(count) for count in analysis.measures["events_below_threshold"]]
    gammas = [format(gamma, "g") for gamma in analysis.gammas]
    word = analysis.loss.target_word
    words = verdict(lost, len(analysis.events), gammas, word)
    return Lesson(words, any(lost), axes, [_y_mod(axes, analysis, g) for g in telling], word)


def _telling_gammas(analysis: ItemAnalysis) -> list[int]:
    """Return the places of the gammas whose Y_mod shows the lesson, ascending."""
    n_gammas = len(analysis.gammas)
    if n_gammas <= _MOST_ROLLS_OF_A_LESSON:
        return list(range(n_gammas))
    lost = analysis.measures["events_below_threshold"]
    least, most = int(np.argmin(lost)), n_gammas - 1 - int(np.argmax(lost[::-1]))
    return sorted({least, most})


def _axes(item: Item, analysis: ItemAnalysis, predictions: NDArray[Any], pixels: int) -> RollAxes:
    scale = LevelScale.of(predictions, item.weak, item.strong, analysis.y_mod, threshold=analysis.threshold)
    low, high = _shown_features(predictions, item, scale)
    return RollAxes(
        analysis.shape[0], low, high, scale, item.fps, item.lowest_pitch, pixels, class_names(analysis)
    )


def _y_mod(axes: RollAxes, analysis: ItemAnalysis, g: int) -> Panel:
    lost = analysis.levels.peak[g] < analysis.threshold
    gamma = format(analysis.gammas[g], "g")
    note = lost_words(int(lost.sum()), len(lost), analysis.loss.target_word) + _not_taught_words(analysis, g)
    marks = performed_marks(events_by_row(analysis), analysis.levels, g, lost, axes.low, axes.high)
    return axes.performed(
        f"Y_mod, γ = {gamma}", note, analysis.y_mod[g], lost=marks, loses=bool(lost.any()), gamma=gamma
    )


def _sources(axes: RollAxes, item: Item, analysis: ItemAnalysis, predictions: NDArray[Any]) -> list[Panel]:
    lost = analysis.levels.peak[-1] < analysis.threshold
    weak = axes.target(
        "Labels" if analysis.loss.target_word == "label" else "Weak target",
        f"orange: lost at γ = {analysis.gammas[-1]:g}",
        item.weak,
        lost=target_marks(events_by_row(analysis), lost, axes.low, axes.high),
    )
    panels = [weak, axes.performed("Predictions", "output of the network", predictions)]
    if item.strong is not None:
        panels.append(axes.performed("Strong target", "known truth, frame by frame", item.strong))
    return panels


def _shown_features(predictions: NDArray[Any], item: Item, scale: LevelScale) -> tuple[int, int]:
    """Return the first and last feature that is active in a target or prediction, with a little margin."""
    # The maximum over time tells as much as every frame would, in a fraction of the time.
    active = (item.weak.max(axis=0) > 0) | (predictions.max(axis=0) >= scale.threshold)
    if item.strong is not None:
        active |= item.strong.max(axis=0) > 0
    return with_margin(active)


def with_margin(active: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first and last active feature with a little margin, all features where none is active."""
    shown = np.flatnonzero(active)
    if shown.size == 0:
        return 0, len(active) - 1
    return max(0, int(shown[0]) - _MARGIN_FEATURES), min(len(active) - 1, int(shown[-1]) + _MARGIN_FEATURES)


def lost_words(lost: int, total: int, word: str = "event") -> str:
    """Say how many events are lost, and which share of all that is."""
    if total == 0:
        return f"no {word}s"
    if lost == 0:
        return f"all {total} {word}s kept" if total > 1 else f"the one {word} kept"
    return f"{lost} of {total} {word}s lost ({percent(lost / total, lost=True)})"


def _not_taught_words(analysis: ItemAnalysis, g: int) -> str:
    """Say how many frames are not taught; they are faded, not silent."""
    if analysis.presence is None:
        return ""
    count = int((analysis.presence[g] < LEAST_PRESENCE).sum())
    return f", {count} of {analysis.presence.shape[1]} frames not taught (faded)" if count else ""


def _facts(item: Item, analysis: ItemAnalysis) -> list[str]:
    n_frames, n_targets, n_features = analysis.shape
    seconds = f" ({n_frames / item.fps:.1f} s at {item.fps:.4g} frames a second)" if item.fps else ""
    weights = " / ".join(format(weight, "g") for weight in analysis.step_weights)
    if analysis.loss.target_word == "label":
        sizes = [f"L = {n_targets} labels", f"K = {n_features} classes"]
        return [f"N = {n_frames} frames{seconds}", *sizes, *analysis.loss.describe()]
    return [
        f"N = {n_frames} prediction frames{seconds}",
        f"M = {n_targets} target frames",
        f"D = {n_features} features",
        *([] if analysis.loss.name == "sdtw" else analysis.loss.describe()),
        f"cost {analysis.cost}",
        f"step weights {weights} (horizontal / vertical / diagonal)",
    ]
