"""The pictures of one item that `warplens analyze` can write."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import warplens as wl
from warplens.analysis.display.colors import cost_bar
from warplens.analysis.display.curves import magnitude_over_duration, row_sums
from warplens.analysis.display.matrices import accumulated_cost, alignment, cost_matrix
from warplens.analysis.display.roll_grid import roll_grid
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.level_colors import predicted_levels
from warplens.io import Item
from warplens.io.replacing import replacing

_TITLE: dict[str, Any] = {"loc": "left", "fontsize": "medium"}


def targets_figure(item: Item, analysis: ItemAnalysis) -> Figure:
    """Draw predictions, modified targets at each gamma and, if known, the strong target under each other.

    Args:
        item: predictions (N, D), weak target (M, D) and, if known, strong target (N, D).
        analysis: analysis of that item.
    """
    rolls = [("predictions", predicted_levels(item.predictions, analysis.cost))]
    for g, gamma in enumerate(analysis.gammas):
        lost, total = (int(analysis.measures[name][g]) for name in ("events_below_threshold", "events"))
        title = f"{lost} of {total} {analysis.loss.target_word}s under {analysis.threshold:g}"
        rolls.append((f"$Y_{{mod}}$, $\\gamma$ = {gamma:g}: {title}", analysis.y_mod[g]))
    if item.strong is not None:
        rolls.append(("strong target", item.strong))
    return roll_grid([rolls], item.fps, item.lowest_pitch, threshold=analysis.threshold)


def alignments_figure(item: Item, analysis: ItemAnalysis) -> Figure:
    """Draw costs with the hard path, h(n), and at each gamma accumulated costs and soft alignment H~.

    H~ is computed again: analyses need not have kept it.

    Args:
        item: predictions (N, D) and weak target (M, D).
        analysis: analysis of that item under soft DTW (`analysis.loss` is sdtw).
    """
    gammas = analysis.gammas
    figure = Figure(figsize=(11, 2.4 * (len(gammas) + 1)), dpi=150, layout="constrained")
    grid = figure.subplots(len(gammas) + 1, 2, squeeze=False)
    C = wl.cost_matrix(item.predictions, item.weak, cost=analysis.cost, dtype=np.float64)
    path = wl.hard_dtw(
        item.predictions, item.weak, cost=analysis.cost, step_weights=analysis.step_weights
    ).indices
    cost_matrix(C, grid[0, 0], item.fps, path=path).set_title("cost matrix C, hard path", **_TITLE)
    row_sums(analysis.h, grid[0, 1], item.fps, gammas=gammas).set_title("row sums h(n)", **_TITLE)
    for row, gamma in zip(grid[1:], gammas, strict=True):
        accumulated_cost(C, row[0], item.fps, gamma=gamma, step_weights=analysis.step_weights, path=path)
        row[0].set_title(f"accumulated cost D, $\\gamma$ = {gamma:g}", **_TITLE)
        H_tilde = wl.align(
            item.predictions,
            item.weak,
            cost=analysis.cost,
            gamma=gamma,
            step_weights=analysis.step_weights,
            threads=1,
        ).H_tilde
        alignment(H_tilde, row[1], item.fps, limits=(0.0, float(H_tilde.max())))
        row[1].set_title(f"soft alignment $\\tilde{{H}}$, $\\gamma$ = {gamma:g}", **_TITLE)
        row[1].set_ylabel("")
    for ax in grid.flat:
        if ax.images:
            cost_bar(ax)
    for ax in grid[:-1].flat:
        ax.set_xlabel("")
    return figure


def events_figure(item: Item, analysis: ItemAnalysis) -> Figure:
    """Draw peaks of events over their expected durations, both at each gamma.

    Args:
        item: the item, for its frames a second.
        analysis: analysis of that item.
    """
    figure = Figure(figsize=(5.5, 3.5), dpi=150, layout="constrained")
    magnitude_over_duration(
        analysis.levels.duration,
        analysis.levels.peak,
        figure.subplots(),
        item.fps,
        gammas=analysis.gammas,
        threshold=analysis.threshold,
    )
    return figure


def write_figures(folder: Path, id: str, item: Item, analysis: ItemAnalysis) -> list[Path]:
    """Write the three pictures of an item as PNG files, the same bytes each time.

    Args:
        folder: folder of the files `<id>.targets.png`, `<id>.alignments.png` and `<id>.events.png` (the last
            one only where the weak target has events, the one before only for sdtw).
        id: id of the item; a slash makes folders.
        item: predictions and targets.
        analysis: analysis of that item.

    Returns:
        The files.

    Raises:
        OSError: they cannot be written.
    """
    figures = {"targets": targets_figure, "alignments": alignments_figure, "events": events_figure}
    if len(analysis.events) == 0:
        del figures["events"]
    if analysis.loss.name != "sdtw":
        del figures["alignments"]  # of the three steps alone
    paths = []
    for name, make in figures.items():
        path = folder / f"{id}.{name}.png"
        save_figure(path, make(item, analysis))
        paths.append(path)
    return paths


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG without anything that changes from run to run, whole or not at all.

    Args:
        path: the file; folders that are missing are made.
        figure: what is drawn.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as file:
        figure.savefig(file, format="png", metadata={"Software": None})
