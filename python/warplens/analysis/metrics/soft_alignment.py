"""Measures of a soft alignment by itself: how spread it is, where it runs, what it leaves out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.marginals import Marginals
from warplens.analysis.metrics.events import Numbers

LEAST_MASS = 0.5
"""A target that holds less than this share of one prediction frame counts as collapsed."""


def diagonal_distance(path: NDArray[Any], n_targets: int) -> Numbers:
    """Mean distance of an expected path from the diagonal, as a share of the targets' extent.

    1/N sum_n |path(n) - (M-1) n / (N-1)| / (M-1), n from 0: 0 on the diagonal, at most 1; 0 if M = 1, and
    from the middle of the targets if N = 1.

    Args:
        path: expected warping path, (N,) or (G, N), of `Marginals`.
        n_targets: M.
    """
    if n_targets == 1:
        return np.zeros(path.shape[:-1])[()]
    n_frames = path.shape[-1]
    diagonal = np.arange(n_frames) / (n_frames - 1) if n_frames > 1 else np.array([0.5])
    return np.abs(path / (n_targets - 1) - diagonal).sum(axis=-1) / n_frames


def share_of_collapsed_targets(masses: NDArray[Any]) -> Numbers:
    """Share of the targets m that hold less than half a frame, sum_n H~(n,m) < 0.5.

    The sums add up to N, so a target that is passed over has left its frames to others.

    Args:
        masses: sum_n H~(n,m) of each target, (M,) or (G, M).
    """
    return (masses < LEAST_MASS).sum(axis=-1) / masses.shape[-1]


def share_on_empty_targets(masses: NDArray[Any], weak: NDArray[Any]) -> Numbers:
    """Share of the soft alignment that lies on target frames without any activity.

    (1/N) sum_n sum_{m: y(m,.) = 0} H~(n,m), between 0 and 1. Under the cost "ce" such a frame costs nothing
    and attracts predictions far beyond its share of the targets.

    Args:
        masses: sum_n H~(n,m) of each target, (M,) or (G, M).
        weak: weak target, (M, D).

    Raises:
        ValueError: the shapes do not fit.
    """
    if weak.ndim != 2 or masses.shape[-1:] != weak.shape[:1]:
        raise ValueError(
            f"masses, weak: shapes {masses.shape} and {weak.shape}, they must be (M,) and (M, D)"
        )
    return masses[..., ~weak.any(axis=1)].sum(axis=-1) / masses.sum(axis=-1)


def soft_alignment_measures(h: NDArray[Any], marginals: Marginals, weak: NDArray[Any]) -> dict[str, Numbers]:
    """Measures of one soft alignment by name, or of G.

    Args:
        h: row sums of H, (N,) or (G, N).
        marginals: of H~.
        weak: weak target, (M, D).

    Returns:
        h_min, h_mean, h_max, entropy_per_frame (mean of the frames' entropies), path_diagonal_distance,
        collapse (see `share_of_collapsed_targets`) and empty_share.
    """
    return {
        "entropy_per_frame": marginals.frame_entropy.sum(axis=-1) / h.shape[-1],
        "h_min": h.min(axis=-1),
        "h_mean": h.sum(axis=-1, dtype=np.float64) / h.shape[-1],
        "h_max": h.max(axis=-1),
        "path_diagonal_distance": diagonal_distance(marginals.path, len(weak)),
        "collapse": share_of_collapsed_targets(marginals.masses),
        "empty_share": share_on_empty_targets(marginals.masses, weak),
    }
