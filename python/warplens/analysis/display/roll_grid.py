"""Piano rolls that are compared: one size, one scale of colours, one time and one pitch axis."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from warplens.analysis.display.colors import level_bar
from warplens.analysis.display.piano_roll import piano_roll
from warplens.analysis.events import THRESHOLD
from warplens.analysis.level_colors import LevelScale

_MARGIN_FEATURES = 2


def roll_grid(
    columns: Sequence[Sequence[tuple[str, NDArray[Any]]]],
    fps: float | None = None,
    lowest_pitch: int | None = None,
    *,
    threshold: float = THRESHOLD,
    features: tuple[int, int] | None = None,
) -> Figure:
    """Draw titled rolls in columns.

    Args:
        columns: columns of equally many (title, levels (N, D)), from the top.
        fps: frames a second; None counts frames.
        lowest_pitch: MIDI number of feature 0; None counts features.
        threshold: level at which the colours break.
        features: first and last feature to show; None shows those that any roll raises to the threshold, and
            two more on either side.

    Raises:
        ValueError: the shapes differ, or the columns have different lengths.
    """
    rolls = [roll for column in columns for _, roll in column]
    if not rolls or len({len(column) for column in columns}) > 1:
        raise ValueError(
            f"columns: of {[len(column) for column in columns]} rolls; they must have equally many"
        )
    if any(roll.ndim != 2 or roll.shape != rolls[0].shape for roll in rolls):
        raise ValueError(f"rolls must have one shape (N, D); found {sorted({roll.shape for roll in rolls})}")
    scale = LevelScale.of(*rolls, threshold=threshold)
    shown = features or _active_features(rolls, threshold)
    n_rows = len(columns[0])
    figure = Figure(figsize=(11, 0.5 + 1.65 * n_rows), dpi=150, layout="constrained")
    grid = figure.subplots(n_rows, len(columns), squeeze=False, sharex=True)
    for axes, panels in zip(grid.T, columns, strict=True):
        for ax, (title, roll) in zip(axes, panels, strict=True):
            piano_roll(roll, ax, fps, lowest_pitch, scale=scale, features=shown)
            ax.set_title(title, loc="left", fontsize="medium")
            ax.label_outer()
    level_bar(list(grid.flat), scale, aspect=40)
    return figure


def _active_features(rolls: Sequence[NDArray[Any]], threshold: float) -> tuple[int, int]:
    active = np.flatnonzero(np.any([(roll >= threshold).any(axis=0) for roll in rolls], axis=0))
    n_features = rolls[0].shape[1]
    if active.size == 0:
        return 0, n_features - 1
    return max(0, int(active[0]) - _MARGIN_FEATURES), min(n_features - 1, int(active[-1]) + _MARGIN_FEATURES)
