"""Summaries of the levels of events: one record an event."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_NUMBERS = ("peak", "duration", "mean_level", "onset_fade", "offset_fade", "widening")
_FRAMES = ("peak_frame", "first", "last")

RECORD = np.dtype([(name, np.float64) for name in _NUMBERS] + [(name, np.int64) for name in _FRAMES])
"""The record of an event."""


@dataclass(frozen=True)
class EventLevels:
    """Summaries of the levels e(n), n from 0, of K events, (K,), or of G alignments, (G, K).

    Times between frames come by linear interpolation of e. The level rises from t_10, where it last passes
    10 % of its own peak before it first reaches 90 %, to t_90, where it first does so; the fall is the same,
    seen from the end. A level that is above 10 % from the first frame on rises from t_10 = 0, so that only
    what can be seen counts. A step from nothing to the peak within one frame takes 0.8 frames.

    Attributes:
        records: array of dtype `RECORD`, (K,) or (G, K); the properties are their fields.
    """

    records: NDArray[Any]

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Self:
        """Join the columns of the compiled module, (K,) or (G, K) each, by their names."""
        records = np.empty(columns["peak"].shape, RECORD)
        for name in RECORD.names or ():
            records[name] = columns[name]
        return cls(records)

    @property
    def peak(self) -> NDArray[np.float64]:
        """max_n e(n)."""
        return self._field("peak")

    @property
    def peak_frame(self) -> NDArray[np.int64]:
        """The first frame n in which the peak is reached."""
        return self._field("peak_frame")

    @property
    def first(self) -> NDArray[np.int64]:
        """The first frame in which e(n) is at least half the peak."""
        return self._field("first")

    @property
    def last(self) -> NDArray[np.int64]:
        """The last frame in which e(n) is at least half the peak."""
        return self._field("last")

    @property
    def duration(self) -> NDArray[np.float64]:
        """Expected duration in frames, sum_n sum_{a <= m < b} H~(n,m)."""
        return self._field("duration")

    @property
    def mean_level(self) -> NDArray[np.float64]:
        """Mean of e(n) over first <= n <= last."""
        return self._field("mean_level")

    @property
    def onset_fade(self) -> NDArray[np.float64]:
        """t_90 - t_10 of the rise in frames; 0 for a peak of 0."""
        return self._field("onset_fade")

    @property
    def offset_fade(self) -> NDArray[np.float64]:
        """t_90 to t_10 of the fall, as `onset_fade` of the rise."""
        return self._field("offset_fade")

    @property
    def widening(self) -> NDArray[np.float64]:
        """Frames in which e(n) is at least threshold times the peak, less the duration.

        0 if the event is taught as it is, positive if it is spread thin; 0 for a peak of 0.
        """
        return self._field("widening")

    def _field(self, name: str) -> NDArray[Any]:
        values: NDArray[Any] = self.records[name]
        return values
