"""Variants of weak targets (M,D); `warplens.collapse_repeats` makes them of strong ones."""

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens._numbers import check_unmasked


def pad_silence(y: ArrayLike) -> NDArray[Any]:
    """Put a frame of zeros before the first target and after the last: an excerpt may begin and end late.

    An end that is silent already stays as it is: weak targets have no repetitions.

    Args:
        y: weak target, (M,D).

    Returns:
        (M,D) to (M+2,D), of the same dtype.

    Raises:
        ValueError: y is not (M,D) or empty.

    Source: M. Krause, C. Weiss and M. Mueller, "Soft Dynamic Time Warping for Multi-Pitch Estimation and
    Beyond", ICASSP 2023.
    """
    y = _frames(y)
    silence = np.zeros_like(y[:1])
    return np.concatenate([silence[: int(y[0].any())], y, silence[: int(y[-1].any())]])


def unfold(y: ArrayLike, n_frames: int) -> NDArray[Any]:
    """Stretch a weak target evenly to the length of the predictions (sequence unfolding).

    Frame n of the result is y(floor(n M / N)), n from 0: the indices are linspace(0, M, N, endpoint=False),
    rounded down. An alignment with it can stay on the diagonal, so it collapses less easily.

    Args:
        y: weak target, (M,D).
        n_frames: N, at least M: fewer frames would leave targets out.

    Returns:
        (N,D), of the same dtype.

    Raises:
        ValueError: y is not (M,D) or empty, or N is less than M.

    Source: J. Zeitler, S. Deniffel, M. Krause and M. Mueller, "Stabilizing Training with Soft Dynamic Time
    Warping", ISMIR 2023.
    """
    y = _frames(y)
    if isinstance(n_frames, bool) or not isinstance(n_frames, numbers.Integral):
        raise TypeError(f"n_frames: is {n_frames!r}; a whole number is accepted")
    if n_frames < len(y):
        raise ValueError(
            f"n_frames: is {n_frames}, less than the M = {len(y)} target frames, some of which would be left "
            "out; give M or more"
        )
    # In whole numbers: n M / N may come out below a whole number that it equals.
    return y[np.arange(int(n_frames)) * len(y) // int(n_frames)]


def _frames(y: ArrayLike) -> NDArray[Any]:
    check_unmasked("y", y)
    array = np.asarray(y)
    if array.ndim != 2 or len(array) == 0:
        raise ValueError(f"y: shape {array.shape}, it must be (M, D) with at least one frame")
    return array
