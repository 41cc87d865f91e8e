"""Labels that a loss with blanks keeps and loses under many settings, of one item or of many together.

A lost label, one whose peak stays under the threshold, is lost in one of two ways. To *blanks*: in the frame
of its peak at least half of what it lacks there is the blank's. To *blur*: more than half is that of other
labels.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from warplens.analysis.losses.options import Loss
from warplens.analysis.sweep.gamma_sweep import Counts, Sums, quotient


class BlankSetting(NamedTuple):
    """A setting of a loss with blanks; the plain one has gamma 1, no blank penalty and no priors."""

    gamma: float = 1.0
    blank_penalty: float = 0.0
    prior_scale: float = 0.0

    def of(self, loss: Loss) -> Loss:
        """Return the loss under this setting, gamma aside."""
        scale = None if loss.log_priors is None else self.prior_scale
        return dataclasses.replace(loss, blank_penalty=self.blank_penalty, prior_scale=scale)

    @property
    def distance(self) -> float:
        """Distance from the plain setting, |log gamma| + |blank penalty| + |prior scale|."""
        of_gamma = abs(math.log(self.gamma)) if self.gamma > 0 else math.inf
        return of_gamma + abs(self.blank_penalty) + abs(self.prior_scale)

    def describe(self) -> str:
        """Return the setting in words."""
        words = [f"gamma {self.gamma:.4g}", f"blank penalty {self.blank_penalty:.4g}"]
        if self.prior_scale:
            words.append(f"prior scale {self.prior_scale:.4g}")
        return ", ".join(words)


@dataclass(frozen=True)
class SettingSweep:
    """Counts and sums under P settings; those of several items add up (`pool_settings`).

    Attributes:
        gammas: gamma of each setting, (P,).
        blank_penalties: blank penalty of each, (P,).
        prior_scales: prior scale of each, (P,).
        threshold: level under which a label is lost.
        frames: frames N.
        events: labels, or events of multi-hot targets.
        lost: those whose peak is under the threshold, (P,).
        lost_to_blanks: those of them that are lost to blanks, the others being lost to blur, (P,).
        durations: sum of their expected durations in frames, (P,).
        blank_frames: expected number of frames on a blank, (P,).
        short_events: those of the shortest quartile of their own item, by expected duration, (P,).
        short_peaks: sum of their peaks, (P,).
        fades: sum of (onset fade + offset fade) / 2, in frames, (P,).
        entropy: of the distribution of paths, in nats, (P,).
        judged: items whose strong target is known; the next two are sums over these alone.
        hits: cells that are active in Y_mod and in the strong target, (P,).
        active: cells that are active in one or the other, those in both twice, (P,).
    """

    gammas: Sums
    blank_penalties: Sums
    prior_scales: Sums
    threshold: float
    frames: int
    events: int
    lost: Counts
    lost_to_blanks: Counts
    durations: Sums
    blank_frames: Sums
    short_events: Counts
    short_peaks: Sums
    fades: Sums
    entropy: Sums
    judged: int
    hits: Counts
    active: Counts

    @property
    def settings(self) -> list[BlankSetting]:
        """The settings, in order."""
        columns = (self.gammas, self.blank_penalties, self.prior_scales)
        return [BlankSetting(*point) for point in zip(*(column.tolist() for column in columns), strict=True)]

    @property
    def kept(self) -> Sums:
        """Share of the labels with a peak at or above the threshold, (P,); NaN without labels."""
        return quotient(self.events - self.lost, self.events)

    @property
    def short_event_peak(self) -> Sums:
        """Mean peak of the short labels, each short within its own item, (P,); NaN without labels."""
        return quotient(self.short_peaks, self.short_events)

    @property
    def duration(self) -> Sums:
        """Mean expected duration of a label in frames, (P,); NaN without labels."""
        return quotient(self.durations, self.events)

    @property
    def blur(self) -> Sums:
        """Mean of (onset fade + offset fade) / 2 over labels, in frames, (P,); NaN without labels."""
        return quotient(self.fades, self.events)

    @property
    def blank_share(self) -> Sums:
        """Expected share of the frames on a blank, (P,)."""
        return quotient(self.blank_frames, self.frames)

    @property
    def f_measure(self) -> Sums:
        """Micro-averaged F of Y_mod where strong targets are known, else NaN, (P,)."""
        if self.judged == 0:
            return np.full(len(self.gammas), np.nan)
        return 2 * self.hits / np.maximum(self.active, 1)


_SETTINGS = ("gammas", "blank_penalties", "prior_scales")
_ADDITIVE = tuple(
    field.name for field in dataclasses.fields(SettingSweep) if field.name not in (*_SETTINGS, "threshold")
)


def pool_settings(sweeps: Sequence[SettingSweep]) -> SettingSweep:
    """Pool the sweeps of several items: every count and sum is the sum of theirs.

    Raises:
        ValueError: there are none, or they differ in settings or threshold.
    """
    if not sweeps:
        raise ValueError("sweeps: empty, at least one is needed")
    first = sweeps[0]
    for i, other in enumerate(sweeps):
        if other.settings != first.settings or other.threshold != first.threshold:
            raise ValueError(f"sweeps: number {i} has other settings or another threshold than number 0")
    sums = {name: sum(getattr(each, name) for each in sweeps) for name in _ADDITIVE}
    return dataclasses.replace(first, **sums)
