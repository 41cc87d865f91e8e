"""The paper's Figure 5: modified targets of each gamma beside predictions of networks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from warplens.analysis.display.roll_grid import roll_grid
from warplens.analysis.events import THRESHOLD


def figure5(
    y_mod: NDArray[Any] | Sequence[NDArray[Any]],
    predictions: NDArray[Any] | Sequence[NDArray[Any]],
    gammas: Sequence[float] | NDArray[np.float64],
    fps: float | None = None,
    lowest_pitch: int | None = None,
    *,
    threshold: float = THRESHOLD,
    features: tuple[int, int] | None = None,
) -> Figure:
    """Draw modified targets on the left, predictions on the right, a row a gamma.

    After Zeitler & Mueller, ISMIR 2025, Figure 5, where each row has the predictions of the network that was
    trained with its gamma. All rolls share time, pitch and colours.

    Args:
        y_mod: modified targets, G times (N, D).
        predictions: G times (N, D), or (N, D) for all rows, on the scale of the targets.
        gammas: (G,).
        fps: frames a second; None counts frames.
        lowest_pitch: MIDI number of feature 0; None counts features.
        threshold: level at which the colours break.
        features: first and last feature to show; None shows those that a target has or a prediction raises to
            the threshold.

    Raises:
        ValueError: the shapes do not fit.
    """
    targets = [np.asarray(each) for each in y_mod]
    one = isinstance(predictions, np.ndarray) and predictions.ndim == 2
    predicted = [np.asarray(each) for each in ([predictions] * len(gammas) if one else predictions)]
    if not len(targets) == len(predicted) == len(gammas):
        raise ValueError(
            f"y_mod, predictions, gammas: {len(targets)}, {len(predicted)} and {len(gammas)} of them; there "
            "must be a y_mod and a prediction for each gamma, or one (N, D) for all"
        )
    left = [
        (f"$Y_{{mod}}$, $\\gamma$ = {gamma:g}", roll) for roll, gamma in zip(targets, gammas, strict=True)
    ]
    right = [
        ("predictions" if one else f"predictions, $\\gamma$ = {gamma:g}", roll)
        for roll, gamma in zip(predicted, gammas, strict=True)
    ]
    return roll_grid([left, right], fps, lowest_pitch, threshold=threshold, features=features)
