"""One item as a page shows it: facts, sounds, rolls, plots and tables."""

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.level_scale import LevelScale
from warplens.analysis.predicted_levels import predicted_levels
from warplens.analysis.report.addresses import SoundAddresses, displayed
from warplens.analysis.report.event_table import event_table
from warplens.analysis.report.magnitude import magnitude_plots
from warplens.analysis.report.measure_table import measure_tables
from warplens.analysis.report.panels import (
    LONG_ROLL_FRAMES,
    Panels,
    curve,
    curve_top,
    performed_marks,
    target_marks,
    time_axis,
)
from warplens.analysis.report.piano_roll import color_bar_png, data_uri
from warplens.analysis.report.report_item import ReportItem
from warplens.io import Item

_MARGIN_FEATURES = 2
_STRETCHES = (1, 2, 4, 8, 16)


def section(entry: ReportItem, sounds: SoundAddresses) -> str:
    """The part of a page that shows an item, or says why there is nothing to show."""
    name = escape(displayed(entry.id))
    if entry.item is None or entry.analysis is None:
        told = f'<p class="failed">Not analysed: {escape(str(entry.error))}</p>\n'
    else:
        told = "".join(
            [
                _facts(entry.item, entry.analysis),
                f'<p class="warning">Mind: {escape(entry.warning)}.</p>\n' if entry.warning else "",
                _players(entry, sounds),
                _rolls(entry.item, entry.analysis),
                magnitude_plots(entry.analysis, entry.item.fps),
                measure_tables(entry.analysis),
                event_table(entry.item, entry.analysis),
            ]
        )
    return f'<section id="item-{name}">\n<h2>{name}</h2>\n{told}</section>\n'


def _facts(item: Item, analysis: ItemAnalysis) -> str:
    n_frames, n_targets, n_features = analysis.shape
    seconds = f" ({n_frames / item.fps:.1f} s at {item.fps:.4g} frames a second)" if item.fps else ""
    weights = " / ".join(format(weight, "g") for weight in analysis.step_weights)
    facts = (
        f"N = {n_frames} prediction frames{seconds}",
        f"M = {n_targets} target frames",
        f"D = {n_features} features",
        f"cost {escape(analysis.cost)}",
        f"step weights {weights} (horizontal / vertical / diagonal)",
    )
    return f'<p class="facts">{" · ".join(facts)}</p>\n<p>{_lost_in_all(analysis)}</p>\n'


def _lost_in_all(analysis: ItemAnalysis) -> str:
    total = len(analysis.events)
    if total == 0:
        return "The weak target has no events: nothing is ever active in it."
    counts = ", ".join(
        f"{lost:.0f} of {total} at γ = {gamma:g}"
        for lost, gamma in zip(analysis.measures["events_below_threshold"], analysis.gammas, strict=True)
    )
    return f"Events that stay under {analysis.threshold:g}: {counts}."


def _players(entry: ReportItem, sounds: SoundAddresses) -> str:
    players = [
        f"<figure><figcaption>{escape(heard)}</figcaption>"
        f'<audio controls preload="none" src="{escape(where)}"></audio></figure>\n'
        for heard, where in sounds.of(entry.sounds)
    ]
    return f'<div class="sounds">\n{"".join(players)}</div>\n' if players else ""


def _rolls(item: Item, analysis: ItemAnalysis) -> str:
    """Targets and predictions in a row, Y_mod at every gamma in another, and what their colours mean."""
    n_frames, n_targets, n_features = analysis.shape
    predictions = predicted_levels(item.predictions, analysis.cost)
    scale = LevelScale.of(predictions, item.weak, item.strong, analysis.y_mod, threshold=analysis.threshold)
    low, high = _shown_features(predictions, item, scale)
    panels = Panels(scale, low, high, item.lowest_pitch)
    long = n_frames > LONG_ROLL_FRAMES
    time = time_axis(n_frames, item.fps, "time (s)" if item.fps else "prediction frame n", long=long)
    threshold = f"{analysis.threshold:g}"
    events, levels = analysis.events, analysis.levels
    lost = levels.peak < analysis.threshold  # (G, K)

    given = panels.figure(
        "Weak target",
        f"order without timing; orange: lost at γ = {analysis.gammas[-1]:g}",
        item.weak,
        time_axis(n_targets, None, "target frame m", long=long),
        marks=target_marks(events, lost[-1], low, high),
        performed=False,
    )
    given += panels.figure("Predictions", "what the network says", predictions, time)
    if item.strong is not None:
        given += panels.figure("Strong target", "what is true, frame by frame", item.strong, time)

    top = curve_top(analysis.h)
    taught = ""
    for g, (gamma, f_measure) in enumerate(zip(analysis.gammas, analysis.measures["f_measure"], strict=True)):
        judged = "" if np.isnan(f_measure) else f", F = {f_measure:.2f}"
        taught += panels.figure(
            f"Y_mod, γ = {gamma:g}",
            f"{lost[g].sum()} of {len(events)} events under {threshold}{judged}",
            analysis.y_mod[g],
            time,
            marks=performed_marks(events, levels, g, lost[g], low, high),
            curve=curve(analysis.h[g], top),
        )

    scales = f' data-fps="{item.fps}"' if item.fps else ""
    scales += "" if item.lowest_pitch is None else f' data-pitch="{item.lowest_pitch}"'
    cut = (
        f'<p class="small">Features that no target has and no prediction raises to {threshold} are not '
        "drawn.</p>\n"
    )
    return f"""<div class="rolls {"below" if long else "beside"}" data-low="{low}" \
data-count="{high - low + 1}"{scales}>
{_stretching() if long else ""}<div class="pan">
<div class="row">
{given}</div>
<div class="row">
{taught}</div>
</div>
<div class="legend">
<span>{scale.low:g}</span><img src="{data_uri(color_bar_png(scale))}" alt="colour scale">\
<span>{scale.high:g}</span>
<span>level; the colours break at {threshold}</span>
<span class="box"></span><span>event that stays under it</span>
<output></output>
</div>
{cut if high - low + 1 < n_features else ""}</div>
"""


def _stretching() -> str:
    buttons = "".join(
        f'<button type="button" data-times="{times}" aria-pressed="{"true" if times == 1 else "false"}">'
        f"{'page' if times == 1 else f'× {times}'}</button>\n"
        for times in _STRETCHES
    )
    return f'<p class="tools stretch" hidden>Width:\n{buttons}</p>\n'


def _shown_features(predictions: NDArray[Any], item: Item, scale: LevelScale) -> tuple[int, int]:
    """First and last feature that a target has or predictions raise to the threshold, and a little margin."""
    # The maximum over time tells as much as every frame would, in a fraction of the time.
    shown = (item.weak.max(axis=0) > 0) | (predictions.max(axis=0) >= scale.threshold)
    if item.strong is not None:
        shown |= item.strong.max(axis=0) > 0
    first_to_last = np.flatnonzero(shown)
    n_features = len(shown)
    if first_to_last.size == 0:
        return 0, n_features - 1
    first, last = int(first_to_last[0]), int(first_to_last[-1])
    return max(0, first - _MARGIN_FEATURES), min(n_features - 1, last + _MARGIN_FEATURES)
