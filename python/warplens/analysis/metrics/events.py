"""Measures of the events of a weak target, from their levels."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warplens import _core
from warplens.analysis.levels import EventLevels


class ShortLong(NamedTuple):
    """Mean peak of the shortest and of the longest quartile of events; NaN without events."""

    short: float
    long: float

    @property
    def ratio(self) -> float:
        """The paper's imbalance of magnitudes as one number: short over long, NaN if long is 0."""
        return self.short / self.long if self.long > 0 else math.nan


def short_and_long(durations: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Mark the events of the shortest and of the longest quartile.

    Short is a duration of at most the 25 % quantile, long one of at least the 75 % quantile (linear between
    neighbours, as `numpy.quantile`); ties, durations within rounding of each other, are all in. Where all are
    equal both are all events.

    Args:
        durations: expected durations in prediction frames at one gamma, (K,), `EventLevels.duration`. A weak
            target has no timing, so the frames of an event's run there tell nothing of how long it lasts.

    Returns:
        Two masks, (K,).
    """
    short, long = _core.quartile_limits(np.ascontiguousarray(durations, np.float64))
    return durations <= short, durations >= long


def short_long_peaks(durations: NDArray[Any], peaks: NDArray[Any]) -> ShortLong:
    """Average the peaks of short and of long events (Zeitler & Mueller, ISMIR 2025, section 5.3).

    Args:
        durations: expected durations in prediction frames, (K,), see `short_and_long`.
        peaks: max_n e(n) at the same gamma, (K,).
    """
    if len(durations) == 0:
        return ShortLong(math.nan, math.nan)
    short, long = short_and_long(durations)
    return ShortLong(float(peaks[short].mean()), float(peaks[long].mean()))


def magnitude_over_duration(
    durations: NDArray[Any], peaks: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the peaks of the events of each duration.

    Args:
        durations: durations of the events in frames, (K,), such as `EventLevels.duration`, rounded to whole
            frames.
        peaks: max_n e(n), (K,).

    Returns:
        The durations that occur, ascending, and the mean peak at each.
    """
    distinct, group = np.unique(np.rint(durations), return_inverse=True)
    counts = np.bincount(group, minlength=len(distinct))
    sums = np.bincount(group, weights=peaks, minlength=len(distinct))
    return distinct.astype(np.float64), sums / counts


def event_measures(levels: EventLevels, threshold: float) -> dict[str, float]:
    """Compute the measures of all K events together; NaN for every mean and share without events.

    Args:
        levels: levels of one alignment, (K,).
        threshold: level under which an event counts as lost.

    Returns:
        events, events_below_threshold, kept = 1 - events_below_threshold / events, peak_mean, peak_min,
        short_event_peak, long_event_peak, short_long_ratio (see `short_long_peaks`), the means
        expected_duration_mean, onset_fade_mean, offset_fade_mean and widening_mean in frames, and blur, the
        mean of (onset fade + offset fade) / 2.
    """
    return _core.measure_events(
        peak=np.ascontiguousarray(levels.peak),
        duration=np.ascontiguousarray(levels.duration),
        onset_fade=np.ascontiguousarray(levels.onset_fade),
        offset_fade=np.ascontiguousarray(levels.offset_fade),
        widening=np.ascontiguousarray(levels.widening),
        threshold=threshold,
    )
