"""Weak targets from strong ones, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._sequences import as_real_array, check_frames


class WeakTargets(NamedTuple):
    """Targets without timing.

    Attributes:
        y: (M,D), the frames of the strong targets with repetitions removed.
        durations: (M,) int64, how often each was repeated; sums to N.
    """

    y: NDArray[Any]
    durations: NDArray[np.int64]


def collapse_repeats(y_strong: ArrayLike) -> WeakTargets:
    """Remove repetitions of frames, which gives the weak targets of the paper.

    Args:
        y_strong: (N,D) or (N,) with N >= 1.

    Returns:
        `WeakTargets(y, durations)` with `expand(y, durations)` equal to y_strong; two frames are a repetition
        when all their features are equal.

    Example:
        >>> wl.collapse_repeats([5, 5, 5, 7, 7])
        WeakTargets(y=array([5, 7]), durations=array([3, 2]))
    """
    frames = _frames("y_strong", y_strong)
    changes = np.flatnonzero(np.any(frames[1:] != frames[:-1], axis=tuple(range(1, frames.ndim)))) + 1
    starts = np.concatenate(([0], changes))
    durations = np.diff(np.concatenate((starts, [len(frames)])))
    return WeakTargets(frames[starts], durations.astype(np.int64))


def expand(y: ArrayLike, durations: ArrayLike) -> NDArray[Any]:
    """Repeat frame m of y (M,D) durations[m] times: the inverse of `collapse_repeats`.

    Args:
        y: (M,D) or (M,), with M >= 1.
        durations: (M,) whole numbers, 0 or more; a frame of duration 0 is left out.

    Returns:
        (N,D) or (N,), N the sum of durations.

    Example:
        >>> wl.expand([5, 7], [3, 2])
        array([5, 5, 5, 7, 7])
    """
    frames = _frames("y", y)
    counts = as_real_array("durations", durations)
    if counts.dtype.kind not in "iu":
        raise TypeError(f"durations: has dtype {counts.dtype}; whole numbers are accepted")
    if counts.shape != (len(frames),):
        raise ValueError(
            f"durations: has shape {counts.shape}; one for each of M = {len(frames)} frames is accepted"
        )
    if (counts < 0).any():
        index = int(np.flatnonzero(counts < 0)[0])
        raise ValueError(f"durations: is {counts[index]} at index {index}; 0 or more is accepted")
    return np.repeat(frames, counts, axis=0)


def _frames(name: str, values: ArrayLike) -> NDArray[Any]:
    array = as_real_array(name, values)
    check_frames(name, array)
    return array
