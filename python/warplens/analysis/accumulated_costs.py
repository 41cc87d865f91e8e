"""The matrix of soft accumulated costs, of which alignments keep only probabilities, for pictures of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def accumulated_costs(
    C: NDArray[Any], *, gamma: float, step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> NDArray[np.float64]:
    """Compute D(n,m) of the soft-DTW recursion, one anti-diagonal after the other.

    D(n,m) = min_g{ w_h C(n,m) + D(n-1,m), w_v C(n,m) + D(n,m-1), w_d C(n,m) + D(n-1,m-1) },
    min_g(S) = -g log sum exp(-s/g), D(0,0) = 0, D(n,0) = D(0,m) = inf, so D(N,M) is the value of the loss.

    Args:
        C: local costs, (N, M), finite, as `warplens.cost_matrix` gives them.
        gamma: softness g; 0 is hard DTW.
        step_weights: (horizontal, vertical, diagonal).

    Returns:
        (N, M) float64.

    Raises:
        ValueError: C is not two-dimensional, empty or not finite, or gamma is negative.
    """
    C = np.asarray(C, np.float64)
    if C.ndim != 2 or C.size == 0 or not np.isfinite(C).all():
        raise ValueError(f"C: shape {C.shape}, it must be (N, M), not empty, and finite")
    if not gamma >= 0:
        raise ValueError(f"gamma: is {gamma}, it must be 0 or positive")
    horizontal, vertical, diagonal = step_weights
    n_frames, n_targets = C.shape
    D = np.full((n_frames + 1, n_targets + 1), np.inf)
    D[0, 0] = 0.0
    for k in range(2, n_frames + n_targets + 1):
        n = np.arange(max(1, k - n_targets), min(n_frames, k - 1) + 1)
        m = k - n
        c = C[n - 1, m - 1]
        before = np.stack(
            [
                horizontal * c + D[n - 1, m],
                vertical * c + D[n, m - 1],
                diagonal * c + D[n - 1, m - 1],
            ]
        )
        least = before.min(axis=0)
        if gamma > 0:
            D[n, m] = least - gamma * np.log(np.exp((least - before) / gamma).sum(axis=0))
        else:
            D[n, m] = least
    return D[1:, 1:]
