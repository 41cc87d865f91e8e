"""One item as a page shows it: panels, plots, sentences and tables, with every number already text."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.level_colors import LevelScale, predicted_levels
from warplens.analysis.losses.alignments import LEAST_PRESENCE
from warplens.analysis.losses.shown import class_names, events_by_row
from warplens.analysis.report.event_table import EventTable, event_table
from warplens.analysis.report.magnitude import MagnitudePlot, magnitude_plots
from warplens.analysis.report.measure_table import MeasureTable, measure_tables
from warplens.analysis.report.panels import (
    LONG_ROLL_FRAMES,
    Curve,
    Panel,
    close_ticks,
    curve,
    curve_top,
    performed_marks,
    target_marks,
)
from warplens.analysis.report.piano_roll import color_bar_png, data_uri, piano_roll_png
from warplens.analysis.ticks import Tick, feature_ticks, frame_ticks
from warplens.io import Item

_MARGIN_FEATURES = 2
_ROLL_PIXELS = 300
_MOST_PIXELS_A_ROW = 14


@dataclass(frozen=True)
class ItemView:
    """Content of one item for the template."""

    facts: list[str]
    sentences: list[str]
    gammas: list[str]
    threshold: str
    feature_ticks: list[Tick]
    features: tuple[int, int]
    lowest_pitch: int | None
    fps: float | None
    cut_features: bool
    roll_height: int
    long: bool
    scale: LevelScale
    color_bar: str
    weak: Panel
    predictions: Panel
    strong: Panel | None
    y_mods: list[Panel]
    curves: list[Curve]
    measures: list[MeasureTable]
    magnitudes: list[MagnitudePlot]
    events: EventTable
    word: str


def item_view(item: Item, analysis: ItemAnalysis) -> ItemView:
    """Lay out one item."""
    n_frames, n_targets, n_features = analysis.shape
    predictions = predicted_levels(item.predictions, analysis.cost)
    scale = LevelScale.of(predictions, item.weak, item.strong, analysis.y_mod, threshold=analysis.threshold)
    low, high = _shown_features(predictions, item, scale)
    long = n_frames > LONG_ROLL_FRAMES
    time_ticks, between = frame_ticks(n_frames, item.fps), close_ticks(n_frames, item.fps) if long else ()
    time_label = "time (s)" if item.fps else "prediction frame n"
    lost = analysis.levels.peak < analysis.threshold  # (G, K)
    word = analysis.loss.target_word
    marked = events_by_row(analysis)
    gammas = [format(gamma, "g") for gamma in analysis.gammas]

    def panel(title: str, note: str, roll: NDArray[Any], marks: str = "") -> Panel:
        image = data_uri(piano_roll_png(roll[:, low : high + 1], scale))
        return Panel(title, note, image, n_frames, time_ticks, time_label, marks, close_ticks=between)

    top = curve_top(analysis.h)
    f_of_y_mod = analysis.measures["f_measure"]
    return ItemView(
        facts=_facts(item, analysis),
        sentences=_sentences(analysis),
        gammas=gammas,
        threshold=format(analysis.threshold, "g"),
        feature_ticks=feature_ticks(low, high, item.lowest_pitch, class_names(analysis)),
        features=(low, high),
        lowest_pitch=item.lowest_pitch,
        fps=item.fps,
        cut_features=high - low + 1 < n_features,
        roll_height=_roll_height(high - low + 1),
        long=long,
        scale=scale,
        color_bar=data_uri(color_bar_png(scale)),
        weak=Panel(
            "Labels" if word == "label" else "Weak target",
            f"order without timing; orange: lost at γ = {gammas[-1]}",
            data_uri(piano_roll_png(item.weak[:, low : high + 1], scale)),
            n_targets,
            frame_ticks(n_targets, None),
            "target frame m",
            target_marks(marked, lost[-1], low, high),
            performed=False,
            close_ticks=close_ticks(n_targets, None) if long else (),
        ),
        predictions=panel("Predictions", "output of the network", predictions),
        strong=None
        if item.strong is None
        else panel("Strong target", "known truth, frame by frame", item.strong),
        y_mods=[
            panel(
                f"Y_mod, γ = {gammas[g]}",
                _lost_words(int(lost[g].sum()), len(analysis.events), analysis.threshold, word)
                + ("" if np.isnan(f_of_y_mod[g]) else f", F = {f_of_y_mod[g]:.2f}")
                + _not_taught_words(analysis, g),
                analysis.y_mod[g],
                performed_marks(marked, analysis.levels, g, lost[g], low, high),
            )
            for g in range(len(gammas))
        ],
        curves=[curve(h, top) for h in analysis.h],
        measures=measure_tables(analysis),
        magnitudes=magnitude_plots(analysis, item.fps),
        events=event_table(item, analysis),
        word=word,
    )


def _roll_height(n_rows: int) -> int:
    """Return the height of a roll in pixels: whole ones a row, so that rows look alike."""
    return n_rows * min(max(round(_ROLL_PIXELS / n_rows), 1), _MOST_PIXELS_A_ROW)


def _shown_features(predictions: NDArray[Any], item: Item, scale: LevelScale) -> tuple[int, int]:
    """Return the first and last feature that is active in a target or prediction, with a little margin."""
    # The maximum over time tells as much as every frame would, in a fraction of the time.
    active = (item.weak.max(axis=0) > 0) | (predictions.max(axis=0) >= scale.threshold)
    if item.strong is not None:
        active |= item.strong.max(axis=0) > 0
    n_features = len(active)
    shown = np.flatnonzero(active)
    if shown.size == 0:
        return 0, n_features - 1
    return max(0, int(shown[0]) - _MARGIN_FEATURES), min(n_features - 1, int(shown[-1]) + _MARGIN_FEATURES)


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


def _sentences(analysis: ItemAnalysis) -> list[str]:
    total = len(analysis.events)
    lost = [int(count) for count in analysis.measures["events_below_threshold"]]
    gammas = [format(gamma, "g") for gamma in analysis.gammas]
    if total == 0:
        if analysis.loss.target_word == "label":
            return ["The item has no labels."]
        return ["The weak target has no events: nothing is ever active in it."]
    word = analysis.loss.target_word.capitalize()
    counts = [f"{n} of {total} at γ = {gamma}" for n, gamma in zip(lost, gammas, strict=True)]
    return [f"{word}s that stay under {analysis.threshold:g}: {', '.join(counts)}."]


def _lost_words(lost: int, total: int, threshold: float, word: str) -> str:
    return f"{lost} of {total} {word}s under {threshold:g}"


def _not_taught_words(analysis: ItemAnalysis, g: int) -> str:
    """Say how many frames are not taught; they are faded, not silent."""
    if analysis.presence is None:
        return ""
    count = int((analysis.presence[g] < LEAST_PRESENCE).sum())
    return f", {count} of {analysis.presence.shape[1]} frames not taught (faded)" if count else ""
