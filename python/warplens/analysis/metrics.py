"""Measures of one soft alignment: what it teaches, against nothing but its targets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens import Alignment
from warplens.analysis.events import EventLevels

STRONG_THRESHOLD = 0.5
"""A strong target is active above this level, whatever the threshold of the estimate."""


def frame_f_measure(estimate: NDArray[Any], strong: NDArray[Any], *, threshold: float = 0.5) -> float:
    """Micro-averaged F-measure over all frames and features.

    With hits TP, false alarms FP and misses FN of (estimate > threshold) against (strong > 0.5),
    F = 2 TP / (2 TP + FP + FN), and 0 where neither has anything active.

    Args:
        estimate: levels, (N, D), such as Y_mod or predictions.
        strong: strongly aligned target, (N, D).
        threshold: level above which an estimate counts as active.

    Raises:
        ValueError: the shapes differ.
    """
    if estimate.shape != strong.shape:
        raise ValueError(f"estimate, strong: shapes {estimate.shape} and {strong.shape}, they must agree")
    estimated = estimate > threshold
    wanted = strong > STRONG_THRESHOLD
    active = int(np.count_nonzero(estimated)) + int(np.count_nonzero(wanted))  # 2 TP + FP + FN
    return 2 * int(np.count_nonzero(estimated & wanted)) / active if active else 0.0


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


def evaluate(
    alignment: Alignment,
    levels: EventLevels,
    *,
    strong: NDArray[Any] | None = None,
    threshold: float = 0.5,
) -> dict[str, float | int | None]:
    """All measures of one alignment by name.

    Args:
        alignment: of x (N, D) and y (M, D) under a cost with modified targets.
        levels: of the events of y.
        strong: strongly aligned target, (N, D), if known.
        threshold: level under which an event counts as lost, and above which Y_mod counts as active.

    Returns:
        value, entropy (nats), h_min, h_mean, h_max, peak_mean, peak_min (None without events), events,
        events_below_threshold, f_measure (None without strong).
    """
    h = alignment.h
    has_events = len(levels.peak) > 0
    return {
        "value": alignment.value,
        "entropy": alignment.entropy,
        "h_min": float(h.min()),
        "h_mean": float(h.mean(dtype=np.float64)),
        "h_max": float(h.max()),
        "peak_mean": float(levels.peak.mean()) if has_events else None,
        "peak_min": float(levels.peak.min()) if has_events else None,
        "events": len(levels.peak),
        "events_below_threshold": int(np.count_nonzero(levels.peak < threshold)),
        "f_measure": None
        if strong is None
        else frame_f_measure(alignment.y_mod, strong, threshold=threshold),
    }
