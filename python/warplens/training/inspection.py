"""Inspection of the modified targets of probe items at one moment, with measures over all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import warplens as wl
from warplens._align import align_in_full
from warplens.analysis import EventLevels, Marginals, measure_alignment
from warplens.analysis.events import THRESHOLD
from warplens.analysis.losses.alignments import LEAST_PRESENCE
from warplens.analysis.losses.measures import FAMILY_MEASURES, levels_of_events, marginals_of
from warplens.analysis.losses.options import SDTW
from warplens.analysis.metrics import precision_recall_f, share_of_collapsed_targets
from warplens.analysis.metrics.evaluation import rows_of
from warplens.analysis.metrics.events import event_measures
from warplens.io import Floats
from warplens.torch import DiagonalPrior, SoftDTWLoss, align
from warplens.training.loss_lenses import (
    InspectedLoss,
    check_loss,
    check_probe,
    core_settings,
    describe_loss,
    is_plain,
    levels_of,
    taught_on,
    without_blank,
)
from warplens.training.probes import Probe, Probes
from warplens.training.settled_predictions import check_rounds, settle_predictions

MEASURES = (
    "events",
    "events_below_threshold",
    "kept",
    "short_event_peak",
    "long_event_peak",
    "short_long_ratio",
    "blur",
    "collapse",
    "entropy_rate",
    "entropy_per_frame",
    "h_min",
    "h_mean",
    "h_max",
    "f_measure",
    "predictions_f_measure",
)
"""The measures of an `Inspection`."""

_SETTLED = {"settled_kept": "kept", "settled_f_measure": "predictions_f_measure"}
"""Measures once predictions have settled, by the measure of an inspection of them."""

_FROM_EVENTS = MEASURES[: MEASURES.index("collapse")]


@dataclass(frozen=True)
class ProbeTargets:
    """The modified targets of one probe.

    Attributes:
        probe: the item.
        predictions: predictions of the network, (N,D), as the loss takes them.
        y_mod: modified targets, (N,D), where targets are labels over the classes that occur.
        h: row sums of the soft alignment, (N,).
        entropy: entropy of the distribution of paths, in nats.
        marginals: marginals of the soft alignment.
        levels: levels of the probe's K events.
        presence: probability that a frame lies on a target, (N,), by which levels are weighed and pictures
            fade Y_mod; None stands for 1.
        blank_share: expected share of frames on a blank, NaN where there is none.
        classes: the classes of `y_mod`, None where targets are features.
    """

    probe: Probe
    predictions: Floats
    y_mod: Floats
    h: Floats
    entropy: float
    marginals: Marginals
    levels: EventLevels
    presence: Floats | None = None
    blank_share: float = math.nan
    classes: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Inspection:
    """The modified targets of all probes at one moment.

    Attributes:
        gamma: gamma of the loss.
        threshold: level under which an event counts as lost, and above which one counts as active.
        targets: the modified targets of each probe.
        left_out: ids of probes whose predictions or alignment are not finite.
        measures: over all events and frames of the probes together, as if they were one item (names as in
            `warplens.analysis.metrics`): events, events_below_threshold, kept, short_event_peak,
            long_event_peak, short_long_ratio, blur (frames), collapse (share of the targets that hold less
            than half a frame), entropy_rate (that of the paths, in nats, over the number of frames),
            entropy_per_frame (mean of the frames' own), h_min, h_mean, h_max; where strong targets are known,
            the micro-averaged f_measure of Y_mod and predictions_f_measure; NaN where one is not defined.
            Where targets are labels each is an event. If asked for: settled_kept, the share
            kept after some rounds in which predictions learn their targets (`settle_predictions`), and
            settled_f_measure, that of the predictions then. Losses that may leave out frames, or have blanks,
            also have not_taught and blank_share, shares of the frames.
        word: what is written of events: "event", or "label".
    """

    gamma: float
    threshold: float
    targets: tuple[ProbeTargets, ...]
    left_out: tuple[str, ...]
    measures: dict[str, float]
    word: str = "event"


def inspect_targets(
    loss: InspectedLoss,
    probes: Probes,
    *,
    predictions: Sequence[Tensor] | None = None,
    gamma: float | None = None,
    threshold: float = THRESHOLD,
    rounds: int = 0,
) -> Inspection:
    """Inspect what a loss teaches on probes.

    Args:
        loss: a loss of the family; its settings count, all of them but reduction and normalisation.
        probes: network and items.
        predictions: predictions of each probe, (N,D); None asks the network.
        gamma: another gamma than that of the loss; None takes that of the loss.
        threshold: level under which an event counts as lost, and above which one counts as active.
        rounds: rounds of `settle_predictions` after which `settled_kept` and `settled_f_measure` are taken
            (3 is a good number, as long again for each); 0 leaves both out.

    Raises:
        ValueError: the cost has no modified targets, the loss is debiased or sharp, predictions do not fit,
            probes have not the targets that the loss needs, rounds is negative, or above 0 for a
            `ForwardSumLoss` with a blank.
    """
    check_loss(loss)
    check_rounds(loss, rounds)
    for probe in probes.items:
        check_probe(loss, probe)
    given = probes.predictions() if predictions is None else predictions
    used = float(loss.gamma.detach()) if gamma is None else gamma
    targets, left_out = [], []
    for probe, x in zip(probes.items, given, strict=True):
        of_probe = _targets_of(loss, probe, x, used, threshold)
        if of_probe is None:
            left_out.append(probe.id)
        else:
            targets.append(of_probe)
    measures, word = _measures(loss, targets, threshold), describe_loss(loss).target_word
    if rounds:
        settled = settle_predictions(loss, probes, rounds=rounds, predictions=given, gamma=used)
        then = inspect_targets(loss, probes, predictions=settled, gamma=used, threshold=threshold).measures
        measures |= {name: then[source] for name, source in _SETTLED.items()}
    return Inspection(used, threshold, tuple(targets), tuple(left_out), measures, word)


def _targets_of(
    loss: InspectedLoss, probe: Probe, x: Tensor, gamma: float, threshold: float
) -> ProbeTargets | None:
    """Return the modified targets of a probe, None where something is not finite."""
    # A class may have probability 0.
    if not bool((x < torch.inf).all() if _takes_log_probs(loss) else x.isfinite().all()):
        return None
    x = x if x.dtype == torch.float64 else x.float()
    dtype: Any = np.float64 if x.dtype == torch.float64 else np.float32
    if not isinstance(loss, SoftDTWLoss) or not is_plain(loss):
        return _targets_by_align(loss, probe, x, gamma, threshold)
    assert probe.weak is not None
    weak = probe.weak.astype(dtype, copy=False)
    try:
        alignment = _aligned(loss, x, weak, gamma)
    except wl.NoPathError:
        return None
    marginals, levels, _ = measure_alignment(alignment.rows, weak, probe.events, threshold=threshold)
    return ProbeTargets(
        probe,
        predictions=_array(x),
        y_mod=alignment.y_mod,
        h=alignment.h,
        entropy=alignment.entropy,
        marginals=marginals,
        levels=levels,
    )


def _targets_by_align(
    loss: InspectedLoss, probe: Probe, x: Tensor, gamma: float, threshold: float
) -> ProbeTargets | None:
    try:
        aligned, targets = taught_on(loss, probe, x, gamma)
    except wl.NoPathError:
        return None
    return ProbeTargets(
        probe,
        predictions=_array(x),
        y_mod=aligned.y_mod,
        h=aligned.h,
        entropy=max(aligned.entropy, 0.0),
        marginals=marginals_of(aligned, targets),
        levels=levels_of_events(aligned, targets, threshold),
        presence=aligned.presence,
        blank_share=aligned.blank_share,
        classes=targets.classes if probe.weak is None else None,
    )


def _takes_log_probs(loss: InspectedLoss) -> bool:
    return describe_loss(loss).kind != "features"


class _Alignment(NamedTuple):
    rows: Floats  # (N,M), H or H~
    y_mod: Floats
    h: Floats
    entropy: float


def _aligned(loss: SoftDTWLoss, x: Tensor, weak: Floats, gamma: float) -> _Alignment:
    """Align by the settings of the loss.

    A cost with a prior goes through the torch interface; all others need one sweep of the core.
    """
    if isinstance(loss.cost, DiagonalPrior):
        result = align(
            x,
            torch.from_numpy(weak).to(x.device),
            cost=loss.cost,
            gamma=gamma,
            step_weights=loss.step_weights.detach(),
            band=loss.band,
            feature_weights=loss.feature_weights,
            pos_weight=loss.pos_weight,
            feature_reduction=loss.feature_reduction,
            backend=loss.backend,
        )
        if not bool(result.value.isfinite()):
            raise wl.NoPathError("the band leaves no path")
        H_tilde, y_mod, h = _array(result.H_tilde), _array(result.y_mod), _array(result.h)
        return _Alignment(H_tilde, y_mod, h, float(result.entropy))
    assert isinstance(loss.cost, str)
    alone = align_in_full(
        _array(x),
        weak,
        cost=loss.cost,
        gamma=gamma,
        **core_settings(loss),
    )
    return _Alignment(rows_of(alone), alone.y_mod, alone.h, alone.entropy)


def _measures(loss: InspectedLoss, targets: Sequence[ProbeTargets], threshold: float) -> dict[str, float]:
    if not targets:
        return dict.fromkeys(_names_of(loss), math.nan)
    # Of all probes, as if they were those of one item.
    levels = EventLevels(np.concatenate([each.levels.records for each in targets]))
    of_events = event_measures(levels, threshold)
    h = np.concatenate([each.h for each in targets])
    masses = np.concatenate([each.marginals.masses for each in targets])
    measures = {
        **{name: of_events[name] for name in _FROM_EVENTS},
        "collapse": share_of_collapsed_targets(masses) if len(masses) else math.nan,
        "entropy_rate": sum(each.entropy for each in targets) / len(h),
        "entropy_per_frame": _entropy_per_frame(targets),
        "h_min": float(h.min()),
        "h_mean": float(h.mean(dtype=np.float64)),
        "h_max": float(h.max()),
        **_against_strong(loss, targets, threshold),
        "blank_share": sum(each.blank_share * len(each.h) for each in targets) / len(h),
        "not_taught": _not_taught(targets),
    }
    return {name: float(measures[name]) for name in _names_of(loss)}


def _names_of(loss: InspectedLoss) -> tuple[str, ...]:
    described = describe_loss(loss)
    if described == SDTW:
        return MEASURES
    return (*MEASURES, *(name for name in FAMILY_MEASURES if described.has_blank or name != "blank_share"))


def _entropy_per_frame(targets: Sequence[ProbeTargets]) -> float:
    entropies = np.concatenate([each.marginals.frame_entropy for each in targets])
    if targets[0].presence is None:
        return float(np.mean(entropies))
    presence = np.concatenate([each.presence for each in targets if each.presence is not None])
    return float(entropies @ presence / presence.sum()) if presence.any() else math.nan


def _not_taught(targets: Sequence[ProbeTargets]) -> float:
    presence = [each.presence for each in targets if each.presence is not None]
    if not presence:
        return math.nan
    return float(np.mean(np.asarray(np.concatenate(presence), np.float64) < LEAST_PRESENCE))


def _against_strong(
    loss: InspectedLoss, targets: Sequence[ProbeTargets], threshold: float
) -> dict[str, float]:
    known = [each for each in targets if each.probe.strong is not None]
    if not known:
        return {"f_measure": math.nan, "predictions_f_measure": math.nan}
    # One after the other as a column each: classes differ from probe to probe.
    rolls = [_compared(loss, each) for each in known]
    y_mod, predicted, strong = (np.concatenate([roll[i].reshape(-1, 1) for roll in rolls]) for i in range(3))
    return {
        "f_measure": float(precision_recall_f(y_mod, strong, (threshold,))[0, 2]),
        "predictions_f_measure": float(precision_recall_f(predicted, strong, (threshold,))[0, 2]),
    }


def _compared(loss: InspectedLoss, targets: ProbeTargets) -> tuple[Floats, Floats, NDArray[Any]]:
    """Return Y_mod, predictions and the strong target of a probe over the classes that are compared."""
    probe, predicted = targets.probe, levels_of(loss, targets.probe, targets.predictions)
    assert probe.strong is not None
    taught = targets.y_mod
    if targets.presence is not None:
        taught = taught * targets.presence[:, np.newaxis]
    strong = np.asarray(strong_roll(loss, targets))
    y_mod, levels, strong = without_blank(loss, probe, targets.predictions, taught, predicted, strong)
    return y_mod, levels, strong


def strong_roll(loss: InspectedLoss, targets: ProbeTargets) -> NDArray[Any] | None:
    """Return the strong target of a probe as a roll (N,D) over the classes of Y_mod; None if not known."""
    strong = targets.probe.strong
    if strong is None or targets.classes is None:
        return strong
    return np.asarray(strong[:, np.newaxis] + describe_loss(loss).token_offset == targets.classes, np.float32)


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().numpy())
