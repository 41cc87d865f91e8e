"""The paper's Figure 5: what each gamma teaches, beside what networks predict."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from warplens.analysis.display.colors import level_bar
from warplens.analysis.display.piano_roll import piano_roll
from warplens.analysis.level_scale import LevelScale


def figure5(
    y_mod: NDArray[Any] | Sequence[NDArray[Any]],
    predictions: NDArray[Any] | Sequence[NDArray[Any]],
    gammas: Sequence[float] | NDArray[np.float64],
    fps: float | None = None,
    lowest_pitch: int | None = None,
    *,
    strong: NDArray[Any] | None = None,
    threshold: float = 0.5,
    features: tuple[int, int] | None = None,
) -> Figure:
    """Modified targets on the left, predictions on the right, a row a gamma.

    After Zeitler & Mueller, ISMIR 2025, Figure 5, where each row has the predictions of the network that was
    trained with its gamma. Predictions that are the same for all rows are drawn once; the strong target, if
    known, is drawn under them. All rolls share time, pitch and colours.

    Args:
        y_mod: modified targets, G times (N, D).
        predictions: G times (N, D), or (N, D) for all rows, on the scale of the targets.
        gammas: (G,).
        fps: frames a second; None counts frames.
        lowest_pitch: MIDI number of feature 0; None counts features.
        strong: strongly aligned target, (N, D); drawn beside predictions that are the same for all rows.
        threshold: level at which the colours break.
        features: first and last feature to show; None shows those that a target has or a prediction raises to
            the threshold.

    Raises:
        ValueError: the shapes do not fit.
    """
    targets = [np.asarray(each) for each in y_mod]
    one = isinstance(predictions, np.ndarray) and predictions.ndim == 2
    predicted = [np.asarray(predictions)] if one else [np.asarray(each) for each in predictions]
    if len(targets) != len(gammas) or not (one or len(predicted) == len(gammas)):
        raise ValueError(
            f"y_mod, predictions, gammas: {len(targets)}, {len(predicted)} and {len(gammas)} of them; there "
            "must be a y_mod and a prediction for each gamma, or one (N, D) for all"
        )
    rolls = [*targets, *predicted, *([] if strong is None else [strong])]
    if any(roll.ndim != 2 or roll.shape != rolls[0].shape for roll in rolls):
        raise ValueError(f"all must have one shape (N, D); found {sorted({roll.shape for roll in rolls})}")
    scale = LevelScale.of(*rolls, threshold=threshold)
    shown = features or _active_features(rolls, threshold)

    right = [
        (roll, "predictions" if one else f"predictions, $\\gamma$ = {gammas[g]:g}")
        for g, roll in enumerate(predicted)
    ]
    if one and strong is not None:
        right.append((strong, "strong target"))
    n_rows = max(len(targets), len(right))
    figure = Figure(figsize=(11, 0.9 + 1.7 * n_rows), dpi=150, layout="constrained")
    grid = figure.subplots(n_rows, 2, squeeze=False)
    left = [
        (roll, f"$Y_{{mod}}$, $\\gamma$ = {gamma:g}") for roll, gamma in zip(targets, gammas, strict=True)
    ]
    drawn: list[Axes] = []
    for column, panels in enumerate((left, right)):
        for row in range(n_rows):
            ax = grid[row, column]
            if row >= len(panels):
                ax.set_axis_off()
                continue
            roll, title = panels[row]
            drawn.append(piano_roll(roll, ax, fps, lowest_pitch, scale=scale, features=shown))
            ax.set_title(title, loc="left", fontsize="medium")
            figure.supxlabel(ax.get_xlabel(), fontsize="medium")
            ax.set_xlabel("")
            ax.tick_params(labelbottom=row == len(panels) - 1)
            if column:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
    level_bar(drawn, scale, aspect=40)
    return figure


def _active_features(rolls: Sequence[NDArray[Any]], threshold: float) -> tuple[int, int]:
    active = np.flatnonzero(np.any([(roll >= threshold).any(axis=0) for roll in rolls], axis=0))
    n_features = rolls[0].shape[1]
    if active.size == 0:
        return 0, n_features - 1
    return max(0, int(active[0]) - 2), min(n_features - 1, int(active[-1]) + 2)
