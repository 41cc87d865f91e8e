"""The matrices of a cost: local costs C and soft accumulated costs D, for pictures of an alignment.

Alignments themselves hold neither: they keep only probabilities.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST_LOG = -100.0


def local_costs(x: NDArray[Any], y: NDArray[Any], cost: str) -> NDArray[np.float64]:
    """Return C(n,m) = c(x_n, y_m) of a named cost, as `warplens.align` charges it.

    Args:
        x: predictions, (N, D).
        y: targets, (M, D).
        cost: one of the names that `warplens.align` takes.

    Returns:
        (N, M) float64.

    Raises:
        ValueError: the shapes do not fit, or the cost is unknown.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"x, y: shapes {x.shape} and {y.shape}, they must be (N, D) and (M, D)")
    match cost:
        case "mse":
            costs = 0.5 * _square_distances(x, y)
        case "sqeuclidean":
            costs = _square_distances(x, y)
        case "euclidean":
            costs = np.sqrt(_square_distances(x, y))
        case "l1":
            costs = _over_features(x, y, np.abs)
        case "bce":
            costs = -(_log(x) @ y.T + _log(1 - x) @ (1 - y).T)
        case "bce_logits":
            costs = np.logaddexp(0, x).sum(axis=1, keepdims=True) - x @ y.T
        case "ce":
            costs = -_log(x) @ y.T
        case "ce_logits":
            top = x.max(axis=1, keepdims=True)
            costs = -(x - top - np.log(np.exp(x - top).sum(axis=1, keepdims=True))) @ y.T
        case "poisson":
            costs = x.sum(axis=1, keepdims=True) - _log(x) @ y.T
        case "poisson_log":
            costs = np.exp(x).sum(axis=1, keepdims=True) - x @ y.T
        case "cosine":
            costs = 1 - _direction(x) @ _direction(y).T
        case _:
            raise ValueError(f"cost: {cost!r} is not the name of a cost")
    return np.asarray(costs, np.float64)


def accumulated_costs(
    C: NDArray[Any], *, gamma: float, step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> NDArray[np.float64]:
    """Compute D(n,m) of the soft-DTW recursion, one anti-diagonal after the other.

    D(n,m) = min_g{ w_h C(n,m) + D(n-1,m), w_v C(n,m) + D(n,m-1), w_d C(n,m) + D(n-1,m-1) },
    min_g(S) = -g log sum exp(-s/g), D(0,0) = 0, D(n,0) = D(0,m) = inf, so D(N,M) is the value of the loss.

    Args:
        C: local costs, (N, M), finite.
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


def _square_distances(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return _over_features(x, y, np.square)


def _over_features(x: NDArray[np.float64], y: NDArray[np.float64], of_difference: Any) -> NDArray[np.float64]:
    # Feature by feature: exact where a product of matrices cancels, small where a cube would not be.
    total = np.zeros((len(x), len(y)))
    for x_d, y_d in zip(x.T, y.T, strict=True):
        total += of_difference(x_d[:, None] - y_d)
    return total


def _log(x: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), _LEAST_LOG)


def _direction(z: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = np.sqrt(np.square(z).sum(axis=1, keepdims=True))
    return z / np.where(norm > 0, norm, 1)
