"""A gamma that falls when the modified targets ask for it, and only then.

The way that Zeitler & Mueller recommend (ISMIR 2025, section 5.3): begin with a high gamma, inspect what the
loss teaches, lower gamma, go on. A high gamma blurs targets, but as long as the network still gains from it,
its targets get sharper by themselves; a low gamma on poor predictions lets alignments collapse.
"""

import math

from warplens._numbers import as_count, as_number
from warplens.analysis.events import THRESHOLD, check_threshold
from warplens.torch import GammaSchedule
from warplens.training.inspection import Inspection, inspect_targets
from warplens.training.limits import Limits, short_events, short_peak
from warplens.training.loss_lenses import InspectedLoss, check_loss, check_probe
from warplens.training.probes import Probes
from warplens.training.ranks import as_on_rank_0

_STATE = ("best", "waited", "log", "last_reason")
"""Attributes that an inspection changes beside gamma."""


class TargetDrivenGamma(GammaSchedule):
    """Schedule that lowers gamma when the modified targets of probe items say so, and never raises it.

    Every `every` steps it inspects the probes. Gamma becomes max(factor gamma, end) if all of this holds:

    1. The targets are over a limit: short events reach less than `least_short_peak` on average, or the blur
       is more than `most_blur` frames.
    2. They have stopped getting better by themselves: in `patience` inspections in a row they came no nearer
       to the limit, by more than a share of `least_gain`, than before at this gamma.
    3. On the same predictions, the lower gamma brings them nearer to the limit, the events that are short now
       being compared with themselves, and keeps as many events at or above the threshold: where it would let
       alignments collapse, it waits.

    The limits say how sharp the targets are, not whether they are right: alignments that went wrong at a high
    gamma, as those of an untrained network do, get sharp where they are. `f_measure` of an `Inspection` shows
    it where strong targets are known; a lower start or some pre-training is the remedy.

    Where `torch.distributed` is initialised, step it on all ranks: each inspects, what rank 0 decides holds
    for all, so gammas do not part where networks do (statistics of normalisation).

    Each move has a sentence in `log`; `last_reason` says why gamma moved or stayed at the last inspection.

    Args:
        loss: a loss of the family whose gamma is a number and that has modified targets. Labels are events.
        probes: network and items with at least one event; their targets are inspected, not trained on.
        start: gamma at first.
        end: the lowest gamma, at most `start`.
        factor: factor of each move, above 0 and below 1.
        every: steps from one inspection to the next.
        least_short_peak: see above, above 0; at 1 all events are taught at full level.
        most_blur: see above; None sets no limit.
        patience: see above; 0 moves at once.
        least_gain: see above.
        threshold: level under which an event counts as lost.

    Attributes:
        log: a sentence for each move.
        last_reason: a sentence for the last inspection, "" before it.
        best: how much of the limits was kept at best at this gamma.
        waited: inspections in a row that were no better.

    Raises:
        TypeError: an argument is not a number, or not a whole one.
        ValueError: a number is out of range, the probes hold no event, the loss has no modified targets, or
            gamma is an `nn.Parameter`.
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
        patience: int = 1,
        least_gain: float = 0.02,
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
        self.patience = as_count("patience", patience, least=0)
        self.least_gain = as_number("least_gain", least_gain)
        self.threshold = check_threshold(as_number("threshold", threshold))
        if self.end > self.start:
            raise ValueError(f"end: is {self.end}, above start = {self.start}; gamma never rises")
        if not any(len(item.events) for item in probes.items):
            raise ValueError("probes: their weak targets hold no event, so nothing can be lost")
        self.log: list[str] = []
        self.last_reason = ""
        self.best = -math.inf
        self.waited = 0
        self._loss, self._probes = loss, probes
        super().__init__(loss)

    @property
    def limits(self) -> Limits:
        """Limits of the targets."""
        return Limits(self.least_short_peak, self.most_blur)

    def _value(self) -> float:
        if self.last_step == 0:
            return self.start
        if self.last_step % self.every:
            return self.last
        # All ranks inspect, as what they hold of the network may ask all of them; one decides.
        gamma, state = as_on_rank_0(
            (self._after_inspection(), {name: getattr(self, name) for name in _STATE})
        )
        vars(self).update(state)
        return gamma

    def _after_inspection(self) -> float:
        """Inspect the probes and return the gamma from now on."""
        loss, gamma, limits = self._loss, self.last, self.limits
        predictions = self._probes.predictions()
        now = inspect_targets(
            loss, self._probes, predictions=predictions, gamma=gamma, threshold=self.threshold
        )
        share = limits.share_kept(now)
        if math.isnan(share):
            return self._stay(f"no probe could be inspected ({', '.join(now.left_out)} not finite)")
        if share >= 1.0:
            self.best, self.waited = max(self.best, share), 0
            return self._stay(f"{self._describe(now)}, within the limits")
        if share > self.best * (1.0 + self.least_gain) or self.best == -math.inf:
            self.best, self.waited = share, 0
        else:
            self.waited += 1
        if self.waited < self.patience:
            return self._stay(f"{self._describe(now)}; they may still get better at gamma {gamma:.4g}")
        if gamma <= self.end:
            return self._stay(f"{self._describe(now)}, but gamma {gamma:.4g} is the lowest allowed")
        lower = max(self.factor * gamma, self.end)
        then = inspect_targets(
            loss, self._probes, predictions=predictions, gamma=lower, threshold=self.threshold
        )
        # Which events are short is known by their expected durations, and so another at another gamma.
        short = short_events(now)
        would = f"at gamma {lower:.4g} {self._describe(then, 'the same events', short_peak(then, short))}"
        if not limits.share_kept(then, short) > share:
            return self._stay(f"{self._describe(now)}, but {would}, which is no nearer to the limits")
        if then.measures["kept"] < now.measures["kept"]:
            return self._stay(
                f"{self._describe(now)}, but {would}, and {_lost(then)} {now.word}s are lost instead of "
                f"{_lost(now)}"
            )
        self.best, self.waited = -math.inf, 0
        waited = f", no better than {_inspections(self.patience)} before" if self.patience else ""
        self.last_reason = (
            f"Step {self.last_step}: gamma {gamma:.4g} -> {lower:.4g}: "
            f"{self._describe(now)}{waited}; {would}."
        )
        self.log.append(self.last_reason)
        return lower

    def _stay(self, why: str) -> float:
        self.last_reason = f"Step {self.last_step}: gamma stays {self.last:.4g}: {why}."
        return self.last

    def _describe(self, inspection: Inspection, who: str = "short events", peak: float | None = None) -> str:
        peak = inspection.measures["short_event_peak"] if peak is None else peak
        named = who.replace("event", inspection.word)
        words = f"{named} reach {peak:.3f} in the modified targets (limit {self.least_short_peak:g})"
        if self.most_blur is not None:
            words += f" with a blur of {inspection.measures['blur']:.1f} frames (limit {self.most_blur:g})"
        return words


def _inspections(count: int) -> str:
    return "the inspection" if count == 1 else f"{count} inspections"


def _lost(inspection: Inspection) -> str:
    return f"{inspection.measures['events_below_threshold']:.0f}"
