"""The paper's Figure 2 for any short item: a short and a long event in a soft alignment."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

import warplens as wl
from warplens.analysis.display.colors import cost_bar, level_bar
from warplens.analysis.display.matrices import alignment, cost_matrix
from warplens.analysis.display.piano_roll import mark_event, piano_roll
from warplens.analysis.events import THRESHOLD, Events, find_events, summarize_levels
from warplens.analysis.level_colors import LevelScale
from warplens.io import Item

SHORT, LONG = "-", "--"
"""Line styles of the two events."""


def figure2(
    item: Item,
    *,
    gamma: float = 1.0,
    cost: str | None = None,
    step_weights: tuple[float, float, float] | None = None,
    short: int | None = None,
    long: int | None = None,
    threshold: float = THRESHOLD,
) -> Figure:
    """Draw four panels: costs C with the hard path, soft alignment H~, weak target Y, and Y_mod = H~ Y.

    After Zeitler & Mueller, ISMIR 2025, Figure 2. A short event and a long one are marked in all but the
    first, in H~ by the target frames they last for, with their peaks in Y_mod.

    Args:
        item: predictions and weak target.
        gamma: softness.
        cost: a cost with modified targets; None is the item's.
        step_weights: None is the item's, or (1, 1, 1).
        short: index of the short event among `find_events(item.weak)`; None takes that of least expected
            duration.
        long: index of the long event; None takes that of most expected duration.
        threshold: level at which the colours break.

    Raises:
        ValueError: as `warplens.align`; no cost is known; the index of an event is out of range.
    """
    cost = cost or item.cost
    if cost is None:
        raise ValueError("cost: the item names none, so it must be given")
    weights = step_weights or item.step_weights or (1.0, 1.0, 1.0)
    aligned = wl.align(item.predictions, item.weak, cost=cost, gamma=gamma, step_weights=weights, threads=1)
    events = find_events(item.weak)
    levels = summarize_levels(aligned.H_tilde, item.weak, events, threshold=threshold)

    figure = Figure(figsize=(10, 6), dpi=150, layout="constrained")
    (ax_costs, ax_alignment), (ax_weak, ax_modified) = figure.subplots(2, 2)
    costs = wl.cost_matrix(item.predictions, item.weak, cost=cost, dtype=np.float64)
    cost_matrix(costs, ax_costs, item.fps, path=aligned.path().indices)
    ax_costs.set_title("cost matrix C, hard path", loc="left")
    cost_bar(ax_costs)
    alignment(aligned.H_tilde, ax_alignment, item.fps)
    ax_alignment.set_title(f"soft alignment $\\tilde{{H}}$, $\\gamma$ = {gamma:g}", loc="left")
    cost_bar(ax_alignment)
    scale = LevelScale.of(item.weak, aligned.y_mod, threshold=threshold)
    piano_roll(
        item.weak, ax_weak, lowest_pitch=item.lowest_pitch, scale=scale, frames="target frame m"
    ).set_title("weak target Y", loc="left")
    level_bar(ax_weak, scale)
    piano_roll(aligned.y_mod, ax_modified, item.fps, item.lowest_pitch, scale=scale)
    ax_modified.set_title("modified targets $Y_{mod}$", loc="left")
    level_bar(ax_modified, scale)
    if len(events):
        marks = (
            ("short", _chosen(short, int(levels.duration.argmin()), len(events)), SHORT),
            ("long", _chosen(long, int(levels.duration.argmax()), len(events)), LONG),
        )
        for name, k, line in marks:
            _mark_target_frames(ax_alignment, events, k, name, line)
            feature, first, last = int(events.feature[k]), int(events.start[k]), int(events.stop[k]) - 1
            mark_event(ax_weak, feature, first, last, label=name, linestyle=line)
            mark_event(
                ax_modified,
                feature,
                int(levels.first[k]),
                int(levels.last[k]),
                item.fps,
                label=f"{name}: {levels.peak[k]:.2f}",
                linestyle=line,
            )
    return figure


def _chosen(index: int | None, extreme: int, n_events: int) -> int:
    if index is None:
        return extreme
    if not 0 <= index < n_events:
        raise ValueError(f"event {index} is none of the {n_events} of the weak target")
    return index


def _mark_target_frames(ax: Axes, events: Events, k: int, name: str, line: str) -> None:
    low, high = events.start[k] - 0.5, events.stop[k] - 0.5
    for edge in (low, high):
        ax.axhline(edge, color="black", lw=0.8, linestyle=line)
    ax.annotate(
        name,
        (1, (low + high) / 2),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize="small",
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )
