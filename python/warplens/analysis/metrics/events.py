"""Measures of what an alignment teaches of the events of its weak target, from their levels."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import Events
from warplens.analysis.levels import EventLevels

Numbers: TypeAlias = Any
"""A float64 or an int64, or an array of them with an entry a gamma, (G,)."""

QUARTILES = (0.25, 0.75)
"""Quantiles of durations up to which events count as short, and from which on as long."""

_ROUNDING = 1e-6
"""Durations are ties within this, of a frame and of themselves: they are sums of float32."""


class ShortLong(NamedTuple):
    """Mean peak of the shortest and of the longest quartile of events, () or (G,); NaN without events."""

    short: Numbers
    long: Numbers

    @property
    def ratio(self) -> Numbers:
        """The paper's imbalance of magnitudes as one number: short over long, NaN if long is 0."""
        short, long = np.asarray(self.short), np.asarray(self.long)
        return np.divide(short, long, out=np.full(long.shape, math.nan), where=long > 0)[()]


def short_and_long(durations: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which events are of the shortest quartile, and which of the longest.

    Short is a duration of at most the 25 % quantile, long one of at least the 75 % quantile (linear between
    neighbours, as `numpy.quantile`); ties are all in. Where all are equal both are all events.

    Args:
        durations: expected durations in prediction frames at one gamma, (K,), `EventLevels.duration`, or at
            each of several, (G, K). A weak target has no timing, so the frames of an event's run there tell
            nothing of how long it lasts.

    Returns:
        Two masks of the same shape.
    """
    count = durations.shape[-1]
    if count == 0:
        return np.zeros(durations.shape, bool), np.zeros(durations.shape, bool)
    ascending = np.sort(durations, axis=-1)  # numpy.quantile takes several times as long
    lower, upper = (_quantile(ascending, share) for share in QUARTILES)
    return (
        durations <= lower + _ROUNDING * (1 + lower),
        durations >= upper - _ROUNDING * (1 + upper),
    )


def short_long_peaks(durations: NDArray[Any], peaks: NDArray[Any]) -> ShortLong:
    """Peaks of short events against those of long ones (Zeitler & Mueller, ISMIR 2025, section 5.3).

    Args:
        durations: expected durations in prediction frames, (K,) or (G, K), see `short_and_long`.
        peaks: max_n e(n) at the same gamma or gammas.
    """
    short, long = short_and_long(durations)
    return ShortLong(_mean_where(short, peaks), _mean_where(long, peaks))


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


def event_measures(events: Events, levels: EventLevels, threshold: float) -> dict[str, Numbers]:
    """The measures of all K events together; NaN for every mean and share without events.

    Args:
        events: of the weak target.
        levels: of one alignment, arrays (K,), or of G, (G, K).
        threshold: level under which an event counts as lost.

    Returns:
        () or (G,) each: events, events_below_threshold, kept = 1 - events_below_threshold / events,
        peak_mean, peak_min, short_event_peak, long_event_peak, short_long_ratio (see `short_long_peaks`), the
        means expected_duration_mean, onset_fade_mean, offset_fade_mean and widening_mean in frames, and blur,
        the mean of (onset fade + offset fade) / 2.
    """
    count = len(events)
    below = (levels.peak < threshold).sum(axis=-1)
    peaks = short_long_peaks(levels.duration, levels.peak)
    means = levels.means()
    return {
        "events": count,
        "events_below_threshold": below,
        "kept": 1 - below / count if count else math.nan,
        "peak_mean": means["peak"],
        "peak_min": levels.peak.min(axis=-1) if count else math.nan,
        "short_event_peak": peaks.short,
        "long_event_peak": peaks.long,
        "short_long_ratio": peaks.ratio,
        "expected_duration_mean": means["duration"],
        "onset_fade_mean": means["onset_fade"],
        "offset_fade_mean": means["offset_fade"],
        "widening_mean": means["widening"],
        "blur": (means["onset_fade"] + means["offset_fade"]) / 2,
    }


def _quantile(ascending: NDArray[Any], share: float) -> NDArray[Any]:
    """Of sorted numbers along the last axis, which is kept."""
    place = share * (ascending.shape[-1] - 1)
    before = int(place)
    lower, upper = (
        ascending[..., before, None],
        ascending[..., min(before + 1, ascending.shape[-1] - 1), None],
    )
    between: NDArray[Any] = lower + (place - before) * (upper - lower)
    return between


def _mean_where(mask: NDArray[np.bool_], values: NDArray[Any]) -> Numbers:
    if values.shape[-1] == 0:
        return math.nan
    return (values * mask).sum(axis=-1) / mask.sum(axis=-1)
