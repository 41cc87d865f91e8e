"""Soft DTW as what it is: a soft minimum over every warping path, each enumerated."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

STEPS = ((1, 0), (0, 1), (1, 1))
"""(dn, dm) of the horizontal, vertical and diagonal step."""


@dataclass
class Truth:
    """What the recursion yields for one cost matrix."""

    value: float
    H: np.ndarray
    E: np.ndarray
    entropy: float
    step_weights_grad: np.ndarray


@cache
def paths(N, M):
    """Every path as a tuple of (n, m, step); step indexes STEPS, and the first cell is entered diagonally."""
    if (N, M) == (1, 1):
        return (((0, 0, 2),),)
    return tuple(
        (*path, (N - 1, M - 1, step))
        for step, (dn, dm) in enumerate(STEPS)
        if N > dn and M > dm
        for path in paths(N - dn, M - dm)
    )


def delannoy(N, M):
    """The number of warping paths of an N x M cost matrix, exactly."""
    row = [1] * M
    for _ in range(N - 1):
        above, row = row, [1]
        for m in range(1, M):
            row.append(above[m] + row[m - 1] + above[m - 1])
    return row[-1]


def log_big(integer):
    """The natural logarithm of an integer beyond the range of floats."""
    shift = max(0, integer.bit_length() - 512)
    return math.log(integer >> shift) + shift * math.log(2)


def soft_dtw(C, gamma, weights):
    """The truth for C (N,M), with +inf where no path may go."""
    N, M = C.shape
    allowed = [path for path in paths(N, M) if all(np.isfinite(C[n, m]) for n, m, _ in path)]
    H, E, by_step = np.zeros((N, M)), np.zeros((N, M)), np.zeros(3)
    if not allowed:
        return Truth(math.inf, H, E, 0.0, by_step)
    totals = np.array([math.fsum(weights[s] * C[n, m] for n, m, s in path) for path in allowed])
    masses = np.exp(-(totals - totals.min()) / gamma)
    shares = masses / masses.sum()
    for path, share in zip(allowed, shares, strict=True):
        for n, m, s in path:
            E[n, m] += share
            H[n, m] += share * weights[s]
            by_step[s] += share * C[n, m]
    present = shares[shares > 0]
    entropy = -math.fsum(present * np.log(present))
    return Truth(totals.min() - gamma * math.log(masses.sum()), H, E, entropy, by_step)
