"""Measures of a soft alignment by itself: how spread it is, where it runs, what it leaves out.

All take H~ (N, M), whose rows sum to 1, and raise ValueError where it is not a matrix.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_MASS = 0.5
"""A target that holds less than this share of one prediction frame counts as collapsed."""


def frame_entropy(H_tilde: NDArray[Any]) -> NDArray[np.float64]:
    """Entropy of each frame's row, -sum_m H~(n,m) log H~(n,m) in nats, (N,): 0 if it lies on one target."""
    rows = _matrix(H_tilde).astype(np.float64)
    return -np.einsum("nm,nm->n", rows, np.log(np.where(rows > 0, rows, 1.0))) + 0.0


def expected_path(H_tilde: NDArray[Any]) -> NDArray[np.float64]:
    """The target that each frame is aligned with on average, sum_m H~(n,m) m, m from 0, (N,)."""
    rows = _matrix(H_tilde)
    return rows @ np.arange(rows.shape[1], dtype=np.float64)


def diagonal_distance(path: NDArray[Any], n_targets: int) -> float:
    """Mean distance of an expected path from the diagonal, as a share of the targets' extent.

    1/N sum_n |path(n) - (M-1) n / (N-1)| / (M-1), n from 0: 0 on the diagonal, at most 1; 0 if M = 1, and
    from the middle of the targets if N = 1.

    Args:
        path: of `expected_path`, (N,).
        n_targets: M.
    """
    if n_targets == 1:
        return 0.0
    n_frames = len(path)
    diagonal = np.linspace(0, 1, n_frames) if n_frames > 1 else np.array([0.5])
    return float(np.mean(np.abs(path / (n_targets - 1) - diagonal)))


def share_of_collapsed_targets(masses: NDArray[Any]) -> float:
    """Share of the targets m that hold less than half a frame, sum_n H~(n,m) < 0.5.

    The sums add up to N, so a target that is passed over has left its frames to others.

    Args:
        masses: sum_n H~(n,m) of each target, (M,).
    """
    return float(np.mean(masses < LEAST_MASS))


def share_on_empty_targets(H_tilde: NDArray[Any], weak: NDArray[Any]) -> float:
    """Share of the soft alignment that lies on target frames without any activity.

    (1/N) sum_n sum_{m: y(m,.) = 0} H~(n,m), between 0 and 1. Under the cost "ce" such a frame costs nothing
    and attracts predictions far beyond its share of the targets.

    Args:
        H_tilde: row-normalised soft alignment, (N, M).
        weak: weak target, (M, D).

    Raises:
        ValueError: the shapes do not fit.
    """
    if H_tilde.ndim != 2 or weak.ndim != 2 or H_tilde.shape[1] != weak.shape[0]:
        raise ValueError(
            f"H_tilde, weak: shapes {H_tilde.shape} and {weak.shape}, they must be (N, M) and (M, D)"
        )
    empty = ~weak.any(axis=1)
    return float(H_tilde[:, empty].sum(dtype=np.float64) / len(H_tilde))


def _matrix(H_tilde: NDArray[Any]) -> NDArray[Any]:
    if H_tilde.ndim != 2 or H_tilde.size == 0:
        raise ValueError(f"H_tilde: shape {H_tilde.shape}, it must be (N, M) and not empty")
    return H_tilde
