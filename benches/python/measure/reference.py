"""Soft DTW in float64 NumPy, anti-diagonal by anti-diagonal, to hold results against before they are timed.

It shares nothing with the core but the formulas. Arrays have a border on each side, so that cell (n,m),
n = 1..N, m = 1..M, lies at n W + m, W = M + 2, and the cells of an anti-diagonal W - 1 apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..workloads import UNIT

Array = NDArray[np.float64]
Weights = tuple[float, float, float]


@dataclass(frozen=True)
class Reference:
    """Value, H = dvalue/dC (N,M), -dvalue/dgamma, and dvalue/dw (3,) of one pair."""

    value: float
    H: Array
    entropy: float
    step_weights_grad: Array

    @property
    def h(self) -> Array:
        """Row sums of H, (N,)."""
        return self.H.sum(axis=1)


def value(C: Array, gamma: float = 1.0, step_weights: Weights = UNIT) -> float:
    """Return D(N,M); gamma 0 is hard DTW."""
    D, _ = _forward(C, gamma, step_weights, wants_choices=False)
    return float(D[C.shape])


def reference(C: Array, gamma: float, step_weights: Weights) -> Reference:
    """Return value and derivatives, gamma > 0; +inf forbids a cell."""
    D, choices = _forward(C, gamma, step_weights, wants_choices=True)
    n, m = C.shape
    W = m + 2
    E = np.zeros((n + 2) * W)
    E[n * W + m] = 1.0
    for cells in list(_anti_diagonals(n, m))[-2::-1]:
        E[cells] = sum(
            E[_moved(cells, step)] * p[_moved(cells, step)]
            for step, p in zip(_steps(W), choices, strict=True)
        )
    used = [(E * p).reshape(n + 2, W)[1:-1, 1:-1] for p in choices]
    costs = np.where(np.isfinite(C), C, 0.0)
    gradients = np.array([float((costs * u).sum()) for u in used])
    H = sum((w * u for w, u in zip(step_weights, used, strict=True)), np.zeros(C.shape))
    distance = float(D[n, m])
    entropy = (float(np.dot(step_weights, gradients)) - distance) / gamma
    return Reference(distance, H, entropy, gradients)


def band_mask(n: int, m: int, radius: float) -> NDArray[np.bool_]:
    """Return the cells (N,M) of a Sakoe-Chiba band, `radius` in frames of the longer sequence."""
    if n < m:
        return band_mask(m, n, radius).T
    line = np.arange(m) * ((n - 1) / max(m - 1, 1))
    return np.abs(np.arange(n)[:, None] - line) <= radius


def _forward(C: Array, gamma: float, step_weights: Weights, wants_choices: bool) -> tuple[Array, list[Array]]:
    """Return D with its border, and the probability that each step is taken into a cell, flat."""
    n, m = C.shape
    W = m + 2
    costs = np.pad(C, 1).ravel()
    D = np.full((n + 2) * W, np.inf)
    D[0] = 0.0
    choices = [np.zeros(D.size) for _ in step_weights] if wants_choices else []
    for cells in _anti_diagonals(n, m):
        here = costs[cells]
        ways = np.stack(
            [
                (w * here if w else np.where(np.isinf(here), np.inf, 0.0)) + D[_moved(cells, -step)]
                for w, step in zip(step_weights, _steps(W), strict=True)
            ]
        )
        least = ways.min(axis=0)
        if gamma == 0:
            D[cells] = least
            continue
        base = np.where(np.isinf(least), 0.0, least)
        powers = np.exp((base - ways) / gamma)
        total = powers.sum(axis=0)
        reached = total > 0
        total[~reached] = 1.0
        D[cells] = np.where(reached, base - gamma * np.log(total), np.inf)
        for p, power in zip(choices, powers, strict=False):
            p[cells] = power / total
    return D.reshape(n + 2, W), choices


def _anti_diagonals(n: int, m: int) -> Iterator[slice]:
    W = m + 2
    for k in range(2, n + m + 1):
        first, last = max(1, k - m), min(n, k - 1)
        start = first * (W - 1) + k
        yield slice(start, start + (last - first) * (W - 1) + 1, W - 1)


def _steps(W: int) -> tuple[int, int, int]:
    """Return how far each step goes: horizontal (n), vertical (m), diagonal."""
    return W, 1, W + 1


def _moved(cells: slice, by: int) -> slice:
    return slice(cells.start + by, cells.stop + by, cells.step)
