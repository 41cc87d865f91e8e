"""Events of a weak target, and their levels in the modified target.

An event is a maximal run [a, b) of weak-target frames with y(m,d) > 0 for one feature d: in music a note of
the score. Its level in prediction frame n is its share of the modified target,

    e(n) = sum_{a <= m < b} H~(n,m) y(m,d),

so the events of a feature add up to Y_mod(n,d) where the target is not negative. The peak max_n e(n) tells
what the network is taught at best: an event whose peak stays under the threshold at which predictions are
read off is one that the network is taught to lose.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warplens import _core
from warplens.analysis.levels import EventLevels
from warplens.analysis.marginals import Marginals

THRESHOLD = 0.5
"""Level under which an event counts as lost, above which a cell counts as active, unless another is given."""


def check_threshold(threshold: float) -> float:
    """Return the threshold if it is one.

    Raises:
        ValueError: it is not from 0 to 1, where the levels of events lie.
    """
    if not math.isfinite(threshold):
        raise ValueError(f"threshold: {threshold}, it must be a finite number")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold: {threshold:g}, it must be from 0 to 1, as the levels of events are")
    return threshold


@dataclass(frozen=True)
class Events:
    """K events, ordered by start, then feature.

    Attributes:
        feature: feature d of each, (K,) int64.
        start: first weak-target frame a, (K,) int64.
        stop: one past the last weak-target frame, b, (K,) int64.
    """

    feature: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.feature)

    def as_core(self) -> dict[str, NDArray[np.int64]]:
        """Return features, starts and stops as the compiled module takes them."""
        runs = {"features": self.feature, "starts": self.start, "stops": self.stop}
        return {name: np.ascontiguousarray(values, np.int64) for name, values in runs.items()}


def find_events(weak: NDArray[Any]) -> Events:
    """Find all maximal runs of frames with weak(m,d) > 0.

    Args:
        weak: weak target, (M, D).

    Returns:
        The events, ordered by start, then feature.

    Raises:
        ValueError: weak is not two-dimensional.
    """
    weak = np.asarray(weak)
    if weak.ndim != 2:
        raise ValueError(f"weak: shape {weak.shape}, it must be (M, D)")
    if weak.dtype not in (np.float32, np.float64):
        weak = weak > 0
    runs = _core.find_events(_as_floats(weak))
    return Events(runs["feature"], runs["start"], runs["stop"])


def summarize_levels(
    H: NDArray[Any], weak: NDArray[Any], events: Events, *, threshold: float = THRESHOLD
) -> EventLevels:
    """Summarize the level of every event; the levels are never held as a whole.

    Args:
        H: soft alignment, (N, M); its rows are divided by their sums, so H~ does as well.
        weak: weak target, (M, D).
        events: K events of `weak`.
        threshold: share of its own peak from which on a level counts towards the widening.

    Raises:
        ValueError: the shapes do not fit, or an event lies outside the target.
    """
    return measure_alignment(H, weak, events, threshold=threshold).levels


class AlignmentMeasures(NamedTuple):
    """Marginals, levels of events and measures of a soft alignment.

    Attributes:
        marginals: of H~.
        levels: of the K events.
        measures: where h is known, those of `metrics.MEASURES` by name that need neither the value, the
            entropy of the paths nor a strong target.
    """

    marginals: Marginals
    levels: EventLevels
    measures: dict[str, float] | None


def measure_alignment(
    H: NDArray[Any],
    weak: NDArray[Any],
    events: Events,
    *,
    threshold: float = THRESHOLD,
    h: NDArray[Any] | None = None,
) -> AlignmentMeasures:
    """Compute marginals of a soft alignment, levels of its events and measures of both in one call.

    Args:
        H: the soft alignment H or, with rows that sum to 1, H~, (N, M), as float32 or float64.
        weak: weak target, (M, D).
        events: events of that weak target (`find_events`), K of them.
        threshold: share of its own peak from which on a level counts towards the widening; in the measures,
            the level under which an event counts as lost.
        h: row sums of H, (N,); without them measures are left out (None).

    Raises:
        ValueError: the shapes do not fit.
    """
    _check_shapes(H, weak)
    # One precision for both, and none lost; sums are float64 anyway.
    dtype: Any = np.float32 if H.dtype == weak.dtype == np.float32 else np.float64
    result = _core.measure_alignment(
        np.ascontiguousarray(H, dtype),
        np.ascontiguousarray(weak, dtype),
        **events.as_core(),
        threshold=threshold,
        h=None if h is None else np.ascontiguousarray(h, dtype),
    )
    return AlignmentMeasures(Marginals.of(result), EventLevels.of(result["levels"]), result.get("measures"))


def _as_floats(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as C-contiguous float32 or float64 in native byte order."""
    return np.ascontiguousarray(array, np.float32 if array.dtype in (np.float32, np.bool_) else np.float64)


def _check_shapes(H: NDArray[Any], weak: NDArray[Any]) -> None:
    if H.ndim != 2 or weak.ndim != 2 or H.shape[1] != weak.shape[0]:
        raise ValueError(f"H, weak: shapes {H.shape} and {weak.shape}, they must be (N, M) and (M, D)")
