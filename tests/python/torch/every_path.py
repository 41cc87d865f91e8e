"""Independent truth: soft DTW as the sum over every warping path, and random batches to hold it against."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

COSTS = (
    "mse",
    "sqeuclidean",
    "bce",
    "bce_logits",
    "ce",
    "ce_logits",
    "poisson",
    "poisson_log",
    "cosine",
    "euclidean",
    "l1",
)
COSTS_WITH_TARGETS = COSTS[:-2]
BACKENDS = ("core", "ops")


@cache
def paths(N, M):
    """Every path as a tuple of (n, m, step), step 0 horizontal, 1 vertical, 2 diagonal."""
    if (N, M) == (1, 1):
        return (((0, 0, 2),),)
    found = []
    for dn, dm, step in ((1, 0, 0), (0, 1, 1), (1, 1, 2)):
        if N - dn >= 1 and M - dm >= 1:
            found += [(*path, (N - 1, M - 1, step)) for path in paths(N - dn, M - dm)]
    return tuple(found)


@dataclass
class Truth:
    value: float
    H: np.ndarray
    E: np.ndarray
    entropy: float
    step_weights_grad: np.ndarray


def soft_dtw(C, gamma, weights):
    """By enumeration; C (N,M) with +inf where a path may not go."""
    N, M = C.shape
    allowed = [path for path in paths(N, M) if all(np.isfinite(C[n, m]) for n, m, _ in path)]
    totals = [math.fsum(weights[s] * C[n, m] for n, m, s in path) for path in allowed]
    H, E, by_step = np.zeros((N, M)), np.zeros((N, M)), np.zeros(3)
    if not allowed:
        return Truth(math.inf, H, E, 0.0, by_step)
    least = min(totals)
    masses = np.exp(-(np.array(totals) - least) / gamma)
    shares = masses / masses.sum()
    for path, share in zip(allowed, shares, strict=True):
        for n, m, s in path:
            E[n, m] += share
            H[n, m] += share * weights[s]
            by_step[s] += share * C[n, m]
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(shares * np.log(shares))
    return Truth(least - gamma * math.log(masses.sum()), H, E, entropy, by_step)


def random_batch(cost, B=3, N=6, M=4, D=3, *, seed=0, dtype=torch.float64):
    """x (B,N,D), y (B,M,D) well inside the domain of the cost."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(B, N, D, generator=generator, dtype=torch.float64) * 0.8 + 0.1
    y = torch.rand(B, M, D, generator=generator, dtype=torch.float64) * 0.8 + 0.1
    if cost not in ("bce", "ce", "poisson"):
        x = 4.0 * x - 2.0
    return x.to(dtype), y.to(dtype)
