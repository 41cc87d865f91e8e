"""The recursion in float64 loops, one cell after the other, sharing no code with the backends."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LoopResult:
    """Soft DTW of one cost matrix, and its derivatives."""

    value: float
    H: Array  # (N,M) dSDTW/dC
    step_weights_grad: Array  # (3,) horizontal, vertical, diagonal


def solve_by_loops(C: Array, gamma: float, step_weights: tuple[float, float, float]) -> LoopResult:
    """Compute soft DTW of C (N,M) for gamma > 0."""
    N, M = C.shape
    w = np.array(step_weights)
    D = np.full((N + 1, M + 1), np.inf)
    D[0, 0] = 0.0
    p = np.zeros((N + 2, M + 2, 3))  # probabilities of the steps into a cell
    for n in range(1, N + 1):
        for m in range(1, M + 1):
            z = -(w * C[n - 1, m - 1] + [D[n - 1, m], D[n, m - 1], D[n - 1, m - 1]]) / gamma
            exps = np.exp(z - z.max())
            p[n, m] = exps / exps.sum()
            D[n, m] = -gamma * (z.max() + np.log(exps.sum()))
    E = np.zeros((N + 2, M + 2))
    E[N, M] = 1.0
    for n in range(N, 0, -1):
        for m in range(M, 0, -1):
            leaving = p[n + 1, m, 0] * E[n + 1, m] + p[n, m + 1, 1] * E[n, m + 1]
            E[n, m] += leaving + p[n + 1, m + 1, 2] * E[n + 1, m + 1]
    uses = (E[..., None] * p)[1:-1, 1:-1]  # (N,M,3)
    return LoopResult(float(D[N, M]), uses @ w, (uses * C[..., None]).sum((0, 1)))
