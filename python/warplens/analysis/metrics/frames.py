"""Measures of levels against a strong target, frame by frame and feature by feature.

Levels are Y_mod or predictions, (N, D); the strong target is active where it is above 0.5. Counts are
micro-averaged, over all cells at once. Every function raises ValueError where the shapes differ.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import THRESHOLD

STRONG_THRESHOLD = 0.5
"""A strong target is active above this level, whatever the threshold of the estimate."""

_LEAST_LOG = -100.0
_ROUNDING = 1e-6


def precision_recall_f(
    estimate: NDArray[Any], strong: NDArray[Any], thresholds: Sequence[float] = (THRESHOLD,)
) -> NDArray[np.float64]:
    """Compute precision, recall and F-measure at each threshold, (T, 3).

    With hits TP, false alarms FP and misses FN of (estimate > threshold) against (strong > 0.5),
    P = TP / (TP + FP), R = TP / (TP + FN), F = 2 TP / (2 TP + FP + FN); 0 where the denominator is 0.

    Args:
        estimate: levels, (N, D).
        strong: strongly aligned target, (N, D).
        thresholds: levels above which an estimate counts as active, T of them.
    """
    _check(estimate, strong)
    wanted = strong > STRONG_THRESHOLD
    n_wanted = int(np.count_nonzero(wanted))
    rows = []
    for threshold in thresholds:
        estimated = estimate > threshold
        n_estimated = int(np.count_nonzero(estimated))
        hits = int(np.count_nonzero(estimated & wanted))
        active = n_estimated + n_wanted  # 2 TP + FP + FN
        rows.append(
            (
                hits / n_estimated if n_estimated else 0.0,
                hits / n_wanted if n_wanted else 0.0,
                2 * hits / active if active else 0.0,
            )
        )
    return np.array(rows, np.float64).reshape(len(rows), 3)


def frame_f_measure(estimate: NDArray[Any], strong: NDArray[Any], *, threshold: float = THRESHOLD) -> float:
    """Compute the F-measure of `precision_recall_f` at one threshold.

    Args:
        estimate: levels, (N, D), of any real dtype.
        strong: strongly aligned target, (N, D), active above 0.5.
        threshold: level above which an estimate counts as active.
    """
    return float(precision_recall_f(estimate, strong, (threshold,))[0, 2])


def average_precision(estimate: NDArray[Any], strong: NDArray[Any]) -> float:
    """Compute average precision, sum_i (R_i - R_{i-1}) P_i; NaN where strong is never active.

    The thresholds are the distinct levels, from the highest; a cell is active at its level and above.

    Args:
        estimate: levels, (N, D), of any real dtype.
        strong: strongly aligned target, (N, D), active above 0.5.
    """
    _check(estimate, strong)
    wanted = strong > STRONG_THRESHOLD
    hits = np.sort(estimate[wanted])
    if len(hits) == 0:
        return math.nan
    # Recall rises only at the levels of wanted cells; of the others only those as high matter.
    others = estimate[~wanted]
    higher = np.sort(others[others >= hits[0]])
    levels, first, gained = np.unique(hits, return_index=True, return_counts=True)
    n_hits = len(hits) - first
    n_false = len(higher) - np.searchsorted(higher, levels)
    return float(np.sum(gained * (n_hits / (n_hits + n_false))) / len(hits))


def l1_distance(estimate: NDArray[Any], strong: NDArray[Any]) -> float:
    """Compute the mean absolute difference over all cells.

    Args:
        estimate: levels, (N, D), of any real dtype.
        strong: strongly aligned target, (N, D).
    """
    _check(estimate, strong)
    return float(np.mean(np.abs(estimate - strong), dtype=np.float64))


def l2_distance(estimate: NDArray[Any], strong: NDArray[Any]) -> float:
    """Compute the root mean square difference over all cells.

    Args:
        estimate: levels, (N, D), of any real dtype.
        strong: strongly aligned target, (N, D).
    """
    _check(estimate, strong)
    return math.sqrt(float(np.mean(np.square(estimate - strong), dtype=np.float64)))


def binary_cross_entropy(estimate: NDArray[Any], strong: NDArray[Any]) -> float:
    """Compute the mean of -s log e - (1-s) log(1-e), logs at least -100; NaN outside [0, 1].

    Levels that leave [0, 1] by rounding count as 0 and 1.

    Args:
        estimate: levels e, (N, D), of any real dtype.
        strong: strongly aligned target s, (N, D).
    """
    _check(estimate, strong)
    for levels in (estimate, strong):
        if levels.min() < -_ROUNDING or levels.max() > 1 + _ROUNDING:
            return math.nan
    some = (estimate > 0) | (strong > 0)  # the other cells, nearly all, add nothing
    e = np.clip(estimate[some], 0, 1).astype(np.float64)
    s = np.clip(strong[some], 0, 1).astype(np.float64)
    with np.errstate(divide="ignore"):
        log_e, log_rest = np.maximum(np.log(e), _LEAST_LOG), np.maximum(np.log1p(-e), _LEAST_LOG)
    return float(-np.sum(s * log_e + (1 - s) * log_rest) / estimate.size)


def cosine_similarity(estimate: NDArray[Any], strong: NDArray[Any]) -> float:
    """Compute the mean of <e_n, s_n> / (|e_n| |s_n|) over frames with a strong target; NaN without any.

    A frame in which the estimate is all zero counts as 0.

    Args:
        estimate: levels e, (N, D), of any real dtype.
        strong: strongly aligned target s, (N, D).
    """
    _check(estimate, strong)
    rows = strong.any(axis=1)
    if not rows.any():
        return math.nan
    e, s = estimate[rows].astype(np.float64), strong[rows].astype(np.float64)
    norms = np.sqrt(np.einsum("nd,nd->n", e, e) * np.einsum("nd,nd->n", s, s))
    products = np.einsum("nd,nd->n", e, s)
    return float(np.mean(np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)))


def frame_measures(estimate: NDArray[Any], strong: NDArray[Any], threshold: float) -> dict[str, float]:
    """Compute precision, recall, f_measure at a threshold, average_precision, l1, l2, bce and cosine."""
    precision, recall, f_measure = precision_recall_f(estimate, strong, (threshold,))[0]
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f_measure": float(f_measure),
        "average_precision": average_precision(estimate, strong),
        "l1": l1_distance(estimate, strong),
        "l2": l2_distance(estimate, strong),
        "bce": binary_cross_entropy(estimate, strong),
        "cosine": cosine_similarity(estimate, strong),
    }


def _check(estimate: NDArray[Any], strong: NDArray[Any]) -> None:
    if estimate.ndim != 2 or estimate.shape != strong.shape:
        raise ValueError(
            f"estimate, strong: shapes {estimate.shape} and {strong.shape}, they must be (N, D) and agree"
        )
