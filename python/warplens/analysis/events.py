"""Events of a weak target, and how strongly a soft alignment teaches each of them.

An event is a maximal run [a, b) of weak-target frames with y(m,d) > 0 for one feature d: in music a note of
the score. Its level in prediction frame n is its share of the modified target,

    e(n) = sum_{a <= m < b} H~(n,m) y(m,d),

so the events of a feature add up to Y_mod(n,d) where the target is not negative. The peak max_n e(n) tells
what the network is taught at best: an event whose peak stays under the threshold at which predictions are
read off is one that the network is taught to lose.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK_VALUES = 1 << 22
"""Levels held at a time: memory stays flat where N or the number of events is large."""


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


@dataclass(frozen=True)
class EventLevels:
    """What is kept of the levels e(n), n from 0, of each of K events.

    Times between frames come by linear interpolation of e. The level rises from t_10, where it last passes
    10 % of its own peak before it first reaches 90 %, to t_90, where it first does so; it falls likewise,
    seen from the end. A level that is above 10 % from the first frame on rises from t_10 = 0, so that only
    what can be seen counts. A step from nothing to the peak within one frame takes 0.8 frames.

    Attributes:
        peak: max_n e(n), (K,) float64.
        peak_frame: the first frame n in which the peak is reached, (K,) int64.
        first: the first frame in which e(n) is at least half the peak, (K,) int64.
        last: the last such frame, (K,) int64.
        duration: expected duration in frames, sum_n sum_{a <= m < b} H~(n,m), (K,) float64.
        mean_level: mean of e(n) over first <= n <= last, (K,) float64.
        onset_fade: t_90 - t_10 of the rise in frames, (K,) float64; 0 for a peak of 0.
        offset_fade: the same of the fall.
        widening: frames in which e(n) is at least threshold times the peak, less the duration, (K,) float64:
            0 if the event is taught as it is, positive if it is spread thin; 0 for a peak of 0.
    """

    peak: NDArray[np.float64]
    peak_frame: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    duration: NDArray[np.float64]
    mean_level: NDArray[np.float64]
    onset_fade: NDArray[np.float64]
    offset_fade: NDArray[np.float64]
    widening: NDArray[np.float64]


def find_events(weak: NDArray[Any]) -> Events:
    """All maximal runs of frames with weak(m,d) > 0.

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
    # A column of nothing on either side of each feature's row gives every run both of its edges.
    active = np.zeros((weak.shape[1], weak.shape[0] + 2), np.int8)
    active[:, 1:-1] = weak.T > 0
    edges = np.diff(active, axis=1)
    feature, start = np.nonzero(edges == 1)
    _, stop = np.nonzero(edges == -1)
    order = np.lexsort((feature, start))
    return Events(feature[order], start[order], stop[order])


def event_levels(H_tilde: NDArray[Any], weak: NDArray[Any], events: Events) -> NDArray[np.float64]:
    """The level e(n) of every event in every frame.

    Args:
        H_tilde: row-normalised soft alignment, (N, M).
        weak: weak target, (M, D).
        events: K events of `weak`.

    Returns:
        (K, N) float64.

    Raises:
        ValueError: the shapes do not fit.
    """
    return np.concatenate([np.empty((0, len(H_tilde))), *_level_blocks(H_tilde, weak, events)])


def summarize_levels(
    H_tilde: NDArray[Any], weak: NDArray[Any], events: Events, *, threshold: float = 0.5
) -> EventLevels:
    """What is kept of the level of every event.

    Args:
        H_tilde: row-normalised soft alignment, (N, M).
        weak: weak target, (M, D).
        events: K events of `weak`.
        threshold: share of its own peak from which on a level counts towards the widening.

    Raises:
        ValueError: the shapes do not fit.
    """
    masses = H_tilde.sum(axis=0, dtype=np.float64)
    rows = []
    for levels in _level_blocks(H_tilde, weak, events):
        for e in levels:
            k = len(rows)
            peak = float(e.max())
            near = np.flatnonzero(e >= peak / 2)
            duration = float(masses[events.start[k] : events.stop[k]].sum())
            rows.append(
                (
                    peak,
                    int(e.argmax()),
                    near[0],
                    near[-1],
                    duration,
                    float(e[near[0] : near[-1] + 1].mean()),
                    _rise(e, peak),
                    _rise(e[::-1], peak),
                    np.count_nonzero(e >= threshold * peak) - duration if peak > 0 else 0.0,
                )
            )
    columns = np.array(rows, np.float64).reshape(len(rows), 9).T
    frames = columns[1:4].astype(np.int64)
    return EventLevels(columns[0], *frames, *columns[4:])


def _rise(e: NDArray[np.float64], peak: float) -> float:
    """t_90 - t_10 of a level that is read from its start."""
    if peak <= 0:
        return 0.0
    reached = int(np.argmax(e >= 0.9 * peak))
    if reached == 0:
        return 0.0

    def passes(before: int, level: float) -> float:
        return before + (level - e[before]) / (e[before + 1] - e[before])

    low = np.flatnonzero(e[:reached] < 0.1 * peak)
    return float(passes(reached - 1, 0.9 * peak) - (passes(int(low[-1]), 0.1 * peak) if len(low) else 0.0))


def _level_blocks(H_tilde: NDArray[Any], weak: NDArray[Any], events: Events) -> Iterator[NDArray[np.float64]]:
    """e(n) as (k, N) blocks of consecutive events.

    The (m, d) cells of a block's events, one run after the other, pick the columns of H~ and their factors
    y(m,d); each run is then summed on its own. That costs one product for each active cell of the target,
    where a product of matrices would cost M for each event.
    """
    if H_tilde.ndim != 2 or weak.ndim != 2 or H_tilde.shape[1] != weak.shape[0]:
        raise ValueError(
            f"H_tilde, weak: shapes {H_tilde.shape} and {weak.shape}, they must be (N, M) and (M, D)"
        )
    if len(events) == 0:
        return
    by_target = np.ascontiguousarray(H_tilde.T)
    lengths = events.stop - events.start
    block_cells = max(1, _BLOCK_VALUES // len(H_tilde))
    block_of_event = (np.cumsum(lengths) - 1) // block_cells
    for block in np.split(np.arange(len(events)), np.flatnonzero(np.diff(block_of_event)) + 1):
        run_starts = np.cumsum(lengths[block]) - lengths[block]
        m = np.arange(lengths[block].sum()) + np.repeat(events.start[block] - run_starts, lengths[block])
        d = np.repeat(events.feature[block], lengths[block])
        products = by_target[m] * weak[m, d, None].astype(np.float64)
        yield np.add.reduceat(products, run_starts, axis=0)
