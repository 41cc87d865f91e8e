"""Soft DTW one anti-diagonal after the other: float64, in the log domain, fast enough for large matrices.

The accumulated costs are kept relative to the least of their anti-diagonal, so that neither their
differences nor the probabilities lose digits when the costs are large.
"""

import math

import numpy as np

from .every_path import Truth


def soft_dtw(C, gamma, weights):
    """The truth for C (N,M), with +inf where no path may go."""
    C = np.asarray(C, dtype=np.float64)
    N, M = C.shape
    K = N + M - 1
    n, m = np.indices((N, M))
    skewed = np.full((K, N), np.inf)
    skewed[n + m, n] = C
    p = np.zeros((K, 3, N))
    offsets = []
    # Entry n + 1 is row n; entry 0 and rows outside the matrix are +inf.
    before, last = np.full(N + 1, np.inf), np.full(N + 1, np.inf)
    before[0] = 0.0
    for k in range(K):
        charged = np.multiply.outer(weights, np.where(np.isinf(skewed[k]), 0.0, skewed[k]))
        z = charged + np.stack([last[:-1], last[1:], before[:-1]])
        z[:, np.isinf(skewed[k])] = np.inf
        if k == 0:
            before[0] = np.inf
        least = z.min(axis=0)
        open_rows = np.isfinite(least)
        terms = np.exp(-(z[:, open_rows] - least[open_rows]) / gamma)
        total = terms.sum(axis=0)
        p[k][:, open_rows] = terms / total
        current = np.full(N + 1, np.inf)
        current[1:][open_rows] = least[open_rows] - gamma * np.log(total)
        if open_rows.any():
            offsets.append(current.min())
            current -= offsets[-1]
            last = last - offsets[-1]
        before, last = last, current
    value = math.fsum([*offsets, last[N]])
    E, H = np.zeros((K + 2, N + 1)), np.zeros((K, N))
    E[K - 1, N - 1] = 1.0 if np.isfinite(value) else 0.0
    p = np.concatenate([p, np.zeros((2, 3, N))])
    p = np.concatenate([p, np.zeros((K + 2, 3, 1))], axis=2)
    for k in range(K - 2, -1, -1):
        E[k, :-1] = (
            p[k + 1, 0, 1:] * E[k + 1, 1:] + p[k + 1, 1, :-1] * E[k + 1, :-1] + p[k + 2, 2, 1:] * E[k + 2, 1:]
        )
    E, p = E[:K, :N], p[:K, :, :N]
    H = E * np.einsum("s,ksn->kn", weights, p)
    logs = np.log(np.where(p > 0, p, 1.0))
    entropy = -float(np.sum(E[:, None] * p * logs))
    by_step = np.einsum("kn,kn,ksn->s", np.where(np.isinf(skewed), 0.0, skewed), E, p)
    return Truth(value, H[n + m, n], E[n + m, n], entropy, by_step)
