"""Events that one loss keeps and loses at many gammas, of one item or of many together.

A lost event, one whose peak stays under the threshold, is lost in one of two ways. *Blur*: it gets frames
enough, but the alignment is so soft that its level is spread over more of them and reaches the threshold in
none. *Collapse*: the alignment passes its targets in next to no time, as it does where a step to the next
target is cheaper than a frame that does not fit. Blur grows with gamma, collapse where gamma gets small.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Sums = NDArray[np.float64]


@dataclass(frozen=True)
class GammaSweep:
    """Counts and sums at G gammas; those of several items add up (`pool`), so nothing is kept of an event.

    Attributes:
        gammas: ascending, (G,).
        threshold: level under which an event is lost.
        frames: prediction frames N.
        events: events of the weak target.
        lost: events whose peak is under the threshold, (G,).
        lost_to_collapse: those of them that are lost to collapse, the others being lost to blur, (G,): it
            gets less than `threshold` frames in all, so no frame can lift its level to the threshold; or a
            larger gamma of the sweep keeps it and no smaller one does.
        short_events: events of the shortest quartile of their own item, by expected duration at this gamma,
            ties all in, (G,); see `metrics.short_and_long`.
        short_peaks: sum of their peaks, (G,).
        fades: sum over events of (onset fade + offset fade) / 2, in frames, (G,).
        entropy: entropy of the distribution of paths, in nats, (G,). Paths of two items are independent, so
            their entropies add up too.
        judged: items whose strong target is known; the next two are sums over these alone.
        hits: cells that are active in Y_mod and in the strong target, TP, (G,).
        active: cells that are active in one or the other, those in both twice, 2 TP + FP + FN, (G,).
        targets: target frames of the items whose cost is blind to silence; the next two are sums over these.
        silent_targets: those of them that have no activity.
        silent_frames: prediction frames that these draw, sum of H~, (G,) or a single 0.
        blind_frames: prediction frames of the same items.
    """

    gammas: Sums
    threshold: float
    frames: int
    events: int
    lost: Counts
    lost_to_collapse: Counts
    short_events: Counts
    short_peaks: Sums
    fades: Sums
    entropy: Sums
    judged: int
    hits: Counts
    active: Counts
    targets: int = 0
    silent_targets: int = 0
    silent_frames: Sums = field(default_factory=lambda: np.zeros(1))
    blind_frames: int = 0

    @property
    def kept(self) -> Sums:
        """Share of the events with a peak at or above the threshold, (G,); NaN without events."""
        return quotient(self.events - self.lost, self.events)

    @property
    def lost_to_blur(self) -> Counts:
        """Lost events that are not lost to collapse, (G,)."""
        return self.lost - self.lost_to_collapse

    @property
    def short_event_peak(self) -> Sums:
        """Mean peak of the short events, each short within its own item, (G,); NaN without events."""
        return quotient(self.short_peaks, self.short_events)

    @property
    def blur(self) -> Sums:
        """Mean of (onset fade + offset fade) / 2 over events, in frames, (G,); NaN without events."""
        return quotient(self.fades, self.events)

    @property
    def entropy_rate(self) -> Sums:
        """Entropy of the distribution of paths over the number of frames, nats a frame, (G,).

        It is less than the mean entropy of the frames' own distributions, `entropy_per_frame`, since
        neighbouring frames depend on each other.
        """
        return quotient(self.entropy, self.frames)

    @property
    def silence_drawn(self) -> Sums:
        """Share of the alignments that silent targets draw under costs that are blind to them, (G,)."""
        return np.broadcast_to(self.silent_frames / max(self.blind_frames, 1), self.gammas.shape)

    @property
    def f_measure(self) -> Sums:
        """Micro-averaged F = 2 TP / (2 TP + FP + FN) where strong targets are known, else NaN, (G,)."""
        if self.judged == 0:
            return np.full(len(self.gammas), np.nan)
        return 2 * self.hits / np.maximum(self.active, 1)


def pool(sweeps: Sequence[GammaSweep]) -> GammaSweep:
    """Pool the sweeps of several items: every count and sum is the sum of theirs.

    Its means are those of all events and frames as if they were one item's, but for `short_event_peak`, whose
    events are short within their own item: the mean over the short events of all of them.

    Args:
        sweeps: at least one, over the same gammas, with one threshold.

    Raises:
        ValueError: there are none, or they differ in gammas or threshold.
    """
    if not sweeps:
        raise ValueError("sweeps: empty, at least one is needed")
    first = sweeps[0]
    for i, other in enumerate(sweeps):
        if not np.array_equal(other.gammas, first.gammas) or other.threshold != first.threshold:
            raise ValueError(f"sweeps: number {i} has other gammas or another threshold than number 0")
    return dataclasses.replace(
        first, **{name: sum(getattr(each, name) for each in sweeps) for name in _ADDITIVE}
    )


_ADDITIVE = tuple(
    each.name for each in dataclasses.fields(GammaSweep) if each.name not in ("gammas", "threshold")
)


def lost_to_collapse(peak: Sums, duration: Sums, threshold: float) -> NDArray[np.bool_]:
    """Mark the lost events that are lost to collapse rather than to blur, see `GammaSweep`.

    Args:
        peak: max_n e(n) of K events at G ascending gammas, (G, K).
        duration: their expected durations in frames, (G, K).
        threshold: level under which an event is lost.

    Returns:
        (G, K), False where the event is not lost.
    """
    kept = peak >= threshold
    # At a gamma that loses the event, "up to here" says the same as "before".
    by_smaller = np.logical_or.accumulate(kept, axis=0)
    by_larger = np.logical_or.accumulate(kept[::-1], axis=0)[::-1]
    return ~kept & ((duration < threshold) | (by_larger & ~by_smaller))


def quotient(over: Any, under: Any) -> Sums:
    """Divide `over` by `under`, NaN where `under` is 0."""
    under = np.broadcast_to(np.asarray(under, np.float64), np.shape(over))
    quotient: Sums = np.divide(over, under, out=np.full(np.shape(over), np.nan), where=under != 0)
    return quotient
