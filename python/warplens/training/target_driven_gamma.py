"""A gamma that falls as far as the predictions carry it, and no further.

What Zeitler & Mueller recommend (ISMIR 2025, section 5.3) is to begin with a high gamma, to inspect what the
loss teaches, and to lower gamma. A high gamma blurs targets. A low one sharpens them, but follows noise where
the network knows nothing of its targets yet. Both can be seen on the predictions of the moment, on which
every gamma can be tried.
"""

import math
from collections.abc import Sequence

from torch import Tensor

from warplens._numbers import as_count, as_number
from warplens.analysis.events import THRESHOLD, check_threshold
from warplens.torch import GammaSchedule
from warplens.training.contrast import contrast
from warplens.training.inspection import Inspection, inspect_targets
from warplens.training.limits import Limits, short_events, short_peak
from warplens.training.loss_lenses import InspectedLoss, check_loss, check_probe
from warplens.training.probes import Probes
from warplens.training.ranks import as_on_rank_0

_STATE = ("log", "last_reason")
"""Attributes that an inspection changes beside gamma."""


class TargetDrivenGamma(GammaSchedule):
    """Schedule that lowers gamma when the modified targets of probe items say so, and never raises it.

    It inspects the probes when it is made, before the first step, and every `every` steps from then on. Gamma
    stays while the predictions know too little: where their best alignment teaches something they rise by
    less than the share `least_contrast` of it (`contrast`). A low gamma would follow noise then, with targets
    that are sharp and wrong. It also stays while the targets keep the limits: short events reach
    `least_short_peak` on average, and the blur is at most `most_blur` frames. Else it tries the next lower
    gamma, max(factor gamma, end), on the same predictions, takes it if both of these hold, and goes on to the
    next at once:

    1. The targets come nearer to the limits than at the gamma before, the events that are short at the
       inspection being compared with themselves.
    2. At least as many events reach the threshold: no alignments collapse.

    It stops at the first gamma that fails, within the limits, or at `end`. To stop too early costs the steps
    to the next inspection; to fall on noise could not be taken back.

    So a network that knows where events are is trained at once as by a constant low gamma, and an untrained
    one at `start` until it knows. How high that should be depends on the data: where few items can be learnt
    by heart, a low gamma never leaves the first alignments, and 10 is right; where there are many, gamma 1
    trains from nothing as well, and 10 costs the steps that it lasts. A network that is never sure, as its
    targets contradict one another, stays at `start`: lower `least_contrast`.

    The limits say how sharp the targets are, not whether they are right. `f_measure` of an `Inspection` shows
    it where strong targets are known.

    Make it when the network has the weights that training starts from, on the device where it trains: the
    first gamma depends on them. `load_state_dict` replaces what was found then. Where `torch.distributed` is
    initialised, make it and step it on all ranks: each inspects, what rank 0 decides holds for all, so gammas
    do not part where networks do (statistics of normalisation). Made before that, ranks may part until the
    next inspection.

    Each descent has a sentence in `log`; `last_reason` says why gamma moved or stayed at the last inspection.

    Args:
        loss: a loss of the family whose gamma is a number and that has modified targets. Labels are events.
        probes: network and items with at least one event; their targets are inspected, not trained on.
        start: the highest gamma.
        end: the lowest gamma, at most `start`.
        factor: factor from one gamma that is tried to the next, above 0 and below 1.
        every: steps from one inspection to the next.
        least_short_peak: see above, above 0; at 1 all events are taught at full level.
        most_blur: see above; None sets no limit.
        least_contrast: see above, at least 0 and below 1; 0 asks for no knowledge.
        threshold: level under which an event counts as lost.

    Attributes:
        log: a sentence for each descent.
        last_reason: a sentence for the last inspection.

    Raises:
        TypeError: an argument is not a number, or not a whole one.
        ValueError: a number is out of range, the probes hold no event, the loss has no modified targets,
            gamma is an `nn.Parameter`, or predictions do not fit the probes.
    """

    _not_saved = ("_module", "_buffer", "_loss", "_probes")

    def __init__(
        self,
        loss: InspectedLoss,
        probes: Probes,
        start: float = 10.0,
        end: float = 0.1,
        *,
        factor: float = 0.5,
        every: int = 100,
        least_short_peak: float = 0.9,
        most_blur: float | None = None,
        least_contrast: float = 0.25,
        threshold: float = THRESHOLD,
    ) -> None:
        check_loss(loss)
        for probe in probes.items:
            check_probe(loss, probe)
        self.start = as_number("start", start, above_zero=True)
        self.end = as_number("end", end, above_zero=True)
        self.factor = as_number("factor", factor, above_zero=True, below=1.0)
        self.every = as_count("every", every)
        self.least_short_peak = as_number("least_short_peak", least_short_peak, above_zero=True)
        self.most_blur = None if most_blur is None else as_number("most_blur", most_blur, above_zero=True)
        self.least_contrast = as_number("least_contrast", least_contrast, below=1.0)
        self.threshold = check_threshold(as_number("threshold", threshold))
        if self.end > self.start:
            raise ValueError(f"end: is {self.end}, above start = {self.start}; gamma never rises")
        if not any(len(item.events) for item in probes.items):
            raise ValueError("probes: their weak targets hold no event, so nothing can be lost")
        self.log: list[str] = []
        self.last_reason = ""
        self._loss, self._probes = loss, probes
        super().__init__(loss)

    @property
    def limits(self) -> Limits:
        """Limits of the targets."""
        return Limits(self.least_short_peak, self.most_blur)

    def _value(self) -> float:
        if self.last_step % self.every:
            return self.last
        # All ranks inspect, as what they hold of the network may ask all of them; one decides.
        before = self.last if self.last_step else self.start
        gamma, state = as_on_rank_0(
            (self._after_inspection(before), {name: getattr(self, name) for name in _STATE})
        )
        vars(self).update(state)
        return gamma

    def _after_inspection(self, gamma: float) -> float:
        """Inspect the probes and return the gamma from now on, at most that of before."""
        predictions = self._probes.predictions()
        now = self._inspect(predictions, gamma)
        share = self.limits.share_kept(now)
        if math.isnan(share) or share >= 1.0:
            left_out = f"no probe could be inspected ({', '.join(now.left_out)} not finite)"
            why = left_out if math.isnan(share) else f"{self._describe(now)}, within the limits"
            self.last_reason = f"Step {self.last_step}: gamma stays {gamma:.4g}: {why}."
            return gamma
        then, stopped = self._descend(predictions, now)
        if then is now:
            self.last_reason = (
                f"Step {self.last_step}: gamma stays {gamma:.4g}: {self._describe(now)}, but {stopped}."
            )
            return gamma
        self.last_reason = (
            f"Step {self.last_step}: gamma {gamma:.4g} -> {then.gamma:.4g}: {self._describe(now)}; "
            f"{self._describe_same(now, then)}. No lower: {stopped}."
        )
        self.log.append(self.last_reason)
        return then.gamma

    def _descend(self, predictions: Sequence[Tensor], now: Inspection) -> tuple[Inspection, str]:
        """Return the inspection at the gamma that is reached, `now` if none lower is, and why no lower."""
        # Which events are short is known by their expected durations, and so others are at another gamma.
        short, limits, reached = short_events(now), self.limits, now
        if reached.gamma > self.end and (knows_too_little := self._knows_too_little(predictions)):
            return reached, knows_too_little
        while reached.gamma > self.end:
            if limits.share_kept(reached) >= 1.0:
                return reached, "that is within the limits"
            tried = self._inspect(predictions, max(self.factor * reached.gamma, self.end))
            if not limits.share_kept(tried, short) > limits.share_kept(reached, short):
                return reached, f"{self._describe_same(now, tried)}, no nearer to the limits"
            if tried.measures["kept"] < reached.measures["kept"]:
                return reached, f"{self._describe_same(now, tried)}, more than before"
            reached = tried
        return reached, f"gamma {self.end:.4g} is the lowest allowed"

    def _knows_too_little(self, predictions: Sequence[Tensor]) -> str:
        """Say what the predictions lack to be followed, nothing where they know enough."""
        found = (
            contrast(self._loss, self._probes, predictions=predictions) if self.least_contrast else math.nan
        )
        if math.isnan(found) or found >= self.least_contrast:
            return ""
        return (
            f"the predictions rise by only {found:.3f} of what their best alignment teaches "
            f"(limit {self.least_contrast:g})"
        )

    def _inspect(self, predictions: Sequence[Tensor], gamma: float) -> Inspection:
        return inspect_targets(
            self._loss, self._probes, predictions=predictions, gamma=gamma, threshold=self.threshold
        )

    def _describe_same(self, now: Inspection, then: Inspection) -> str:
        """Say how the events that are short now fare at another gamma."""
        peak = short_peak(then, short_events(now))
        return f"at gamma {then.gamma:.4g} {self._describe(then, 'the same events', peak)}"

    def _describe(self, inspection: Inspection, who: str = "short events", peak: float | None = None) -> str:
        peak = inspection.measures["short_event_peak"] if peak is None else peak
        named = who.replace("event", inspection.word)
        words = f"{named} reach {peak:.3f} in the modified targets (limit {self.least_short_peak:g})"
        measures = inspection.measures
        if self.most_blur is not None:
            words += f" with a blur of {measures['blur']:.1f} frames (limit {self.most_blur:g})"
        lost = f"{measures['events_below_threshold']:.0f} of {measures['events']:.0f}"
        return f"{words}, {lost} {inspection.word}s are lost"
