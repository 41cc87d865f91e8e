"""One item as a page shows it: panels, curves, sentences and tables, with every number already text."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.axes import Tick, feature_ticks, frame_ticks, note_name, round_steps
from warplens.analysis.events import EventLevels, Events
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.level_scale import LevelScale
from warplens.analysis.report.piano_roll import (
    color_bar_png,
    data_uri,
    frames_per_column,
    piano_roll_png,
)
from warplens.io import Item

MAX_LOST_EVENTS = 200
"""Rows of the list of lost events; the item file has them all."""

_SIDE_BY_SIDE_FRAMES = 900
_MARGIN_FEATURES = 2
_ROLL_PIXELS = 300


@dataclass(frozen=True)
class Panel:
    """A piano roll with its axes; `marks` is an SVG path in units of frames and rows, from the top left."""

    title: str
    note: str
    image: str
    frames: int
    time_ticks: list[Tick]
    time_label: str
    marks: str = ""
    performed: bool = True
    """Whether its frames are prediction frames, so that one time means one place in all such panels."""


@dataclass(frozen=True)
class Curve:
    """h(n) under its roll: an SVG path in a box of `frames` by `top` units, zero at the bottom."""

    path: str
    frames: int
    top: float
    ticks: list[Tick]


@dataclass(frozen=True)
class LostEvent:
    """An event whose peak stays under the threshold at some gamma."""

    name: str
    target_frames: str
    where: str
    peaks: list[tuple[str, bool]]
    """Peak at each gamma, and whether it is under the threshold."""


@dataclass(frozen=True)
class ItemView:
    """Everything the template says of one item."""

    facts: list[str]
    sentences: list[str]
    gammas: list[str]
    feature_ticks: list[Tick]
    features: tuple[int, int]
    lowest_pitch: int | None
    fps: float | None
    cut_features: bool
    roll_height: int
    side_by_side: bool
    scale: LevelScale
    color_bar: str
    weak: Panel
    predictions: Panel
    strong: Panel | None
    y_mods: list[Panel]
    curves: list[Curve]
    measures: list[dict[str, str]]
    lost: list[LostEvent]
    lost_total: int


def item_view(item: Item, analysis: ItemAnalysis) -> ItemView:
    """Lay out one item."""
    n_frames, n_targets, n_features = analysis.shape
    predictions = predicted_levels(item.predictions, analysis.cost)
    scale = LevelScale.of(predictions, item.weak, item.strong, analysis.y_mod, threshold=analysis.threshold)
    low, high = _shown_features(predictions, item, scale)
    time_ticks = frame_ticks(n_frames, item.fps)
    time_label = "time (s)" if item.fps else "prediction frame n"
    lost = analysis.levels.peak < analysis.threshold  # (G, K)
    gammas = [format(gamma, "g") for gamma in analysis.gammas]

    def panel(title: str, note: str, roll: NDArray[Any], marks: str = "") -> Panel:
        image = data_uri(piano_roll_png(roll[:, low : high + 1], scale))
        return Panel(title, note, image, n_frames, time_ticks, time_label, marks)

    top = _curve_top(analysis.h)
    f_of_y_mod = analysis.measures["f_measure"]
    return ItemView(
        facts=_facts(item, analysis),
        sentences=_sentences(analysis),
        gammas=gammas,
        feature_ticks=feature_ticks(low, high, item.lowest_pitch),
        features=(low, high),
        lowest_pitch=item.lowest_pitch,
        fps=item.fps,
        cut_features=high - low + 1 < n_features,
        roll_height=(high - low + 1) * int(np.clip(_ROLL_PIXELS // (high - low + 1), 3, 14)),
        side_by_side=n_frames <= _SIDE_BY_SIDE_FRAMES,
        scale=scale,
        color_bar=data_uri(color_bar_png(scale)),
        weak=Panel(
            "Weak target",
            f"order without timing; orange: lost at γ = {gammas[-1]}",
            data_uri(piano_roll_png(item.weak[:, low : high + 1], scale)),
            n_targets,
            frame_ticks(n_targets, None),
            "target frame m",
            _target_marks(analysis.events, lost[-1], low, high),
            performed=False,
        ),
        predictions=panel("Predictions", "what the network says", predictions),
        strong=None
        if item.strong is None
        else panel("Strong target", "what is true, frame by frame", item.strong),
        y_mods=[
            panel(
                f"Y_mod, γ = {gammas[g]}",
                _lost_words(int(lost[g].sum()), len(analysis.events), analysis.threshold)
                + ("" if np.isnan(f_of_y_mod[g]) else f", F = {f_of_y_mod[g]:.2f}"),
                analysis.y_mod[g],
                _performed_marks(analysis.events, analysis.levels, g, lost[g], low, high),
            )
            for g in range(len(gammas))
        ],
        curves=[_curve(h, top) for h in analysis.h],
        measures=[_measures(analysis, g) for g in range(len(gammas))],
        lost=_lost_events(item, analysis, lost)[:MAX_LOST_EVENTS],
        lost_total=int(lost.any(axis=0).sum()),
    )


def predicted_levels(predictions: NDArray[Any], cost: str) -> NDArray[Any]:
    """Predictions on the scale of their targets: logits become probabilities, log-rates rates."""
    if cost == "bce_logits":
        return np.asarray(0.5 * (1 + np.tanh(predictions / 2)))
    if cost == "ce_logits":
        odds = np.exp(predictions - predictions.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))
    if cost == "poisson_log":
        return np.asarray(np.exp(predictions))
    return predictions


def _shown_features(predictions: NDArray[Any], item: Item, scale: LevelScale) -> tuple[int, int]:
    """First and last feature that a target has or predictions raise to the threshold, and a little margin."""
    active = [item.weak > 0, predictions >= scale.threshold]
    if item.strong is not None:
        active.append(item.strong > 0)
    n_features = item.weak.shape[1]
    shown = np.flatnonzero(np.any([each.any(axis=0) for each in active], axis=0))
    if shown.size == 0:
        return 0, n_features - 1
    return max(0, int(shown[0]) - _MARGIN_FEATURES), min(n_features - 1, int(shown[-1]) + _MARGIN_FEATURES)


def _facts(item: Item, analysis: ItemAnalysis) -> list[str]:
    n_frames, n_targets, n_features = analysis.shape
    seconds = f" ({n_frames / item.fps:.1f} s at {item.fps:.4g} frames a second)" if item.fps else ""
    weights = " / ".join(format(weight, "g") for weight in analysis.step_weights)
    return [
        f"N = {n_frames} prediction frames{seconds}",
        f"M = {n_targets} target frames",
        f"D = {n_features} features",
        f"cost {analysis.cost}",
        f"step weights {weights} (horizontal / vertical / diagonal)",
    ]


def _sentences(analysis: ItemAnalysis) -> list[str]:
    total = len(analysis.events)
    lost = [int(count) for count in analysis.measures["events_below_threshold"]]
    gammas = [format(gamma, "g") for gamma in analysis.gammas]
    if total == 0:
        return ["The weak target has no events: nothing is ever active in it."]
    counts = [f"{n} of {total} at γ = {gamma}" for n, gamma in zip(lost, gammas, strict=True)]
    return [f"Events that stay under {analysis.threshold:g}: {', '.join(counts)}."]


def _lost_words(lost: int, total: int, threshold: float) -> str:
    return f"{lost} of {total} events under {threshold:g}"


def _target_marks(events: Events, lost: NDArray[np.bool_], low: int, high: int) -> str:
    return "".join(
        _box(int(events.start[k]), int(events.stop[k]), high - int(events.feature[k]))
        for k in np.flatnonzero(lost)
        if low <= events.feature[k] <= high
    )


def _performed_marks(
    events: Events, levels: EventLevels, g: int, lost: NDArray[np.bool_], low: int, high: int
) -> str:
    return "".join(
        _box(int(levels.first[g, k]), int(levels.last[g, k]) + 1, high - int(events.feature[k]))
        for k in np.flatnonzero(lost)
        if low <= events.feature[k] <= high
    )


def _box(start: int, stop: int, row: int) -> str:
    return f"M{start} {row}h{stop - start}v1h{start - stop}z"


def _curve_top(h: NDArray[Any]) -> float:
    """End of the common axis: a whole number of round steps, at or above the largest value."""
    most = max(float(h.max()), 1e-12)
    step = round_steps(most, 4)
    return step * math.ceil(most / step - 1e-9)


def _curve(h: NDArray[Any], top: float) -> Curve:
    step = frames_per_column(len(h))
    heights = np.maximum.reduceat(h, np.arange(0, len(h), step))
    unit = top / 1000
    points = "".join(f"V{round((top - value) / unit)}h{step}" for value in heights.astype(np.float64))
    ticks = [Tick(100.0, format(top, "g")), Tick(0.0, "0")]
    return Curve(f"M0 1000{points}V1000z", len(heights) * step, top, ticks)


def _measures(analysis: ItemAnalysis, g: int) -> dict[str, str]:
    def text(name: str, form: str) -> str:
        value = analysis.measures[name][g]
        return "–" if np.isnan(value) else format(value, form).replace("-", "−")

    return {
        "gamma": format(analysis.gammas[g], "g"),
        "value": text("value", ".2f"),
        "entropy": text("entropy", ".1f"),
        "h": f"{text('h_min', '.3g')} / {text('h_mean', '.3g')} / {text('h_max', '.3g')}",
        "peak_mean": text("peak_mean", ".3f"),
        "peak_min": text("peak_min", ".3f"),
        "lost": f"{text('events_below_threshold', '.0f')} of {text('events', '.0f')}",
        "f_measure": text("f_measure", ".4f"),
    }


def _lost_events(item: Item, analysis: ItemAnalysis, lost: NDArray[np.bool_]) -> list[LostEvent]:
    events, levels = analysis.events, analysis.levels
    found = []
    for k in np.flatnonzero(lost.any(axis=0)):
        feature, start, stop = int(events.feature[k]), int(events.start[k]), int(events.stop[k])
        found.append(
            LostEvent(
                name=f"feature {feature}"
                if item.lowest_pitch is None
                else note_name(item.lowest_pitch + feature),
                target_frames=str(start) if stop == start + 1 else f"{start}–{stop - 1}",
                where=_where(int(levels.first[0, k]), int(levels.last[0, k]), item.fps),
                peaks=[(f"{levels.peak[g, k]:.2f}", bool(lost[g, k])) for g in range(len(analysis.gammas))],
            )
        )
    return found


def _where(first: int, last: int, fps: float | None) -> str:
    if fps:
        return f"{first / fps:.2f}–{(last + 1) / fps:.2f} s"
    return f"frames {first}–{last}" if last > first else f"frame {first}"
