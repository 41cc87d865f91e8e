"""Measures of a soft alignment by itself: how spread it is, where it runs, what it leaves out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_MASS = 0.5
"""A target that holds less than this share of one prediction frame counts as collapsed."""


def diagonal_distance(path: NDArray[Any], n_targets: int) -> float:
    """Mean distance of an expected path from the diagonal, as a share of the targets' extent.

    1/N sum_n |path(n) - (M-1) n / (N-1)| / (M-1), n from 0: 0 on the diagonal, at most 1; 0 if M = 1, and
    from the middle of the targets if N = 1.

    Args:
        path: expected warping path, (N,), of `Marginals`.
        n_targets: M.
    """
    if n_targets == 1:
        return 0.0
    n_frames = len(path)
    diagonal = np.arange(n_frames) / (n_frames - 1) if n_frames > 1 else np.array([0.5])
    return float(np.abs(path / (n_targets - 1) - diagonal).sum()) / n_frames


def share_of_collapsed_targets(masses: NDArray[Any]) -> float:
    """Share of the targets m that hold less than half a frame, sum_n H~(n,m) < 0.5.

    The sums add up to N, so a target that is passed over has left its frames to others.

    Args:
        masses: sum_n H~(n,m) of each target, (M,).
    """
    return int(np.count_nonzero(masses < LEAST_MASS)) / len(masses)


def share_on_empty_targets(masses: NDArray[Any], weak: NDArray[Any]) -> float:
    """Share of the soft alignment that lies on target frames without any activity.

    (1/N) sum_n sum_{m: y(m,.) = 0} H~(n,m), between 0 and 1. Under the cost "ce" such a frame costs nothing
    and attracts predictions far beyond its share of the targets.

    Args:
        masses: sum_n H~(n,m) of each target, (M,).
        weak: weak target, (M, D).

    Raises:
        ValueError: the shapes do not fit.
    """
    if weak.ndim != 2 or masses.shape != weak.shape[:1]:
        raise ValueError(
            f"masses, weak: shapes {masses.shape} and {weak.shape}, they must be (M,) and (M, D)"
        )
    return float(masses[~weak.any(axis=1)].sum() / masses.sum())
