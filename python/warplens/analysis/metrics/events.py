"""Measures of what an alignment teaches of the events of its weak target, from their levels."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import EventLevels, Events

QUARTILE = 0.25
"""Share of the events that count as short, and as long."""


class ShortLong(NamedTuple):
    """Mean peak of the shortest and of the longest quartile of events; NaN without events."""

    short: float
    long: float

    @property
    def ratio(self) -> float:
        """The paper's imbalance of magnitudes as one number: short over long, NaN if long is 0."""
        return self.short / self.long if self.long > 0 else math.nan


def short_long_peaks(run_lengths: NDArray[Any], peaks: NDArray[Any]) -> ShortLong:
    """Peaks of short events against those of long ones (Zeitler & Mueller, ISMIR 2025, section 5.3).

    Short are the events whose run b - a in the weak target is no longer than that of the ceil(K/4)-th
    shortest; ties are all in. Long likewise from the other end. Where all runs are equal both are all events.

    Args:
        run_lengths: b - a in frames of the weak target, (K,).
        peaks: max_n e(n), (K,).
    """
    if len(run_lengths) == 0:
        return ShortLong(math.nan, math.nan)
    ordered = np.sort(run_lengths)
    last = math.ceil(QUARTILE * len(ordered)) - 1
    short, long = run_lengths <= ordered[last], run_lengths >= ordered[-1 - last]
    return ShortLong(float(peaks[short].mean()), float(peaks[long].mean()))


def magnitude_over_duration(
    durations: NDArray[Any], peaks: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean peak of the events of each duration.

    Args:
        durations: of the events in frames, (K,), such as `EventLevels.duration`; rounded to whole frames.
        peaks: max_n e(n), (K,).

    Returns:
        The durations that occur, ascending, and the mean peak at each.
    """
    found, group = np.unique(np.rint(durations), return_inverse=True)
    counts = np.bincount(group, minlength=len(found))
    return found.astype(np.float64), np.bincount(group, weights=peaks, minlength=len(found)) / counts


def event_measures(events: Events, levels: EventLevels, threshold: float) -> dict[str, float]:
    """The measures of all K events together; NaN for every mean and share without events.

    Args:
        events: of the weak target.
        levels: of one alignment, arrays (K,).
        threshold: level under which an event counts as lost.

    Returns:
        events, events_below_threshold, kept = 1 - events_below_threshold / events, peak_mean, peak_min,
        short_event_peak, long_event_peak, short_long_ratio (see `short_long_peaks`), the means
        expected_duration_mean, onset_fade_mean, offset_fade_mean and widening_mean in frames, and blur, the
        mean of (onset fade + offset fade) / 2.
    """
    count = len(events)
    below = int(np.count_nonzero(levels.peak < threshold))
    peaks = short_long_peaks(events.stop - events.start, levels.peak)
    onset, offset = _mean(levels.onset_fade), _mean(levels.offset_fade)
    return {
        "events": count,
        "events_below_threshold": below,
        "kept": 1 - below / count if count else math.nan,
        "peak_mean": _mean(levels.peak),
        "peak_min": float(levels.peak.min()) if count else math.nan,
        "short_event_peak": peaks.short,
        "long_event_peak": peaks.long,
        "short_long_ratio": peaks.ratio,
        "expected_duration_mean": _mean(levels.duration),
        "onset_fade_mean": onset,
        "offset_fade_mean": offset,
        "widening_mean": _mean(levels.widening),
        "blur": (onset + offset) / 2,
    }


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else math.nan
