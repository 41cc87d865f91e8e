"""Inspection of the modified targets of probe items at one moment, with measures over all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import warplens as wl
from warplens._align import align_in_full
from warplens._costs import COSTS_WITHOUT_TARGETS
from warplens.analysis import EventLevels, Marginals, measure_alignment
from warplens.analysis.events import THRESHOLD
from warplens.analysis.level_colors import predicted_levels
from warplens.analysis.metrics import precision_recall_f, share_of_collapsed_targets
from warplens.analysis.metrics.evaluation import rows_of
from warplens.analysis.metrics.events import event_measures
from warplens.io import Floats
from warplens.torch import DiagonalPrior, SoftDTWLoss, align
from warplens.torch.inputs.settings import bare_cost
from warplens.training.probes import Probe, Probes

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

_FROM_EVENTS = MEASURES[: MEASURES.index("collapse")]


@dataclass(frozen=True)
class ProbeTargets:
    """The modified targets of one probe.

    Attributes:
        probe: the item.
        predictions: predictions of the network, (N,D), as the loss takes them.
        y_mod: modified targets, (N,D).
        h: row sums of the soft alignment, (N,).
        entropy: entropy of the distribution of paths, in nats.
        marginals: marginals of the soft alignment.
        levels: levels of the probe's K events.
    """

    probe: Probe
    predictions: Floats
    y_mod: Floats
    h: Floats
    entropy: float
    marginals: Marginals
    levels: EventLevels


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
    """

    gamma: float
    threshold: float
    targets: tuple[ProbeTargets, ...]
    left_out: tuple[str, ...]
    measures: dict[str, float]


def check_loss(loss: SoftDTWLoss) -> None:
    """Raise ValueError where a loss has no modified targets to inspect."""
    cost = bare_cost(loss.cost)
    if not isinstance(cost, str) or cost in COSTS_WITHOUT_TARGETS:
        name = cost if isinstance(cost, str) else getattr(cost, "__name__", repr(cost))
        raise ValueError(
            f"loss: its cost {name!r} is not affine in the target, so there are no modified targets to look "
            'at; use "mse", "bce" or another cost of that form'
        )
    for name, why in (
        ("debias", "the gradient of SDTW(x,x) is no alignment with the target"),
        ("sharp", "the gradient of <H,C> is not H"),
    ):
        if getattr(loss, name):
            raise ValueError(
                f"loss: has {name}=True, whose gradient modified targets do not give: {why}; look at a "
                f"SoftDTWLoss without {name} if its targets are to be seen all the same"
            )


def inspect_targets(
    loss: SoftDTWLoss,
    probes: Probes,
    *,
    predictions: Sequence[Tensor] | None = None,
    gamma: float | None = None,
    threshold: float = THRESHOLD,
) -> Inspection:
    """Inspect what a loss teaches on probes.

    Args:
        loss: its settings count, all of them but reduction and normalisation.
        probes: network and items.
        predictions: predictions of each probe, (N,D); None asks the network.
        gamma: another gamma than that of the loss; None takes that of the loss.
        threshold: level under which an event counts as lost, and above which one counts as active.

    Raises:
        ValueError: the cost has no modified targets, the loss is debiased or sharp, predictions do not fit.
    """
    check_loss(loss)
    given = probes.predictions() if predictions is None else predictions
    used = float(loss.gamma.detach()) if gamma is None else gamma
    targets, left_out = [], []
    for probe, x in zip(probes.items, given, strict=True):
        of_probe = _targets_of(loss, probe, x, used, threshold)
        if of_probe is None:
            left_out.append(probe.id)
        else:
            targets.append(of_probe)
    return Inspection(used, threshold, tuple(targets), tuple(left_out), _measures(loss, targets, threshold))


def levels_of(loss: SoftDTWLoss, predictions: Floats) -> Floats:
    """Return predictions on the scale of their targets, (N,D), see `predicted_levels`."""
    cost = bare_cost(loss.cost)
    assert isinstance(cost, str)
    return predicted_levels(predictions, cost)


def _targets_of(
    loss: SoftDTWLoss, probe: Probe, x: Tensor, gamma: float, threshold: float
) -> ProbeTargets | None:
    """Return the modified targets of a probe, None where something is not finite."""
    if not bool(x.isfinite().all()):
        return None
    x = x if x.dtype == torch.float64 else x.float()
    dtype: Any = np.float64 if x.dtype == torch.float64 else np.float32
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
        step_weights=loss.step_weights.tolist(),
        band=loss.band,
        feature_weights=None if loss.feature_weights is None else _array(loss.feature_weights),
        pos_weight=None if loss.pos_weight is None else _array(loss.pos_weight),
        feature_reduction=loss.feature_reduction,
        threads=1,
    )
    return _Alignment(rows_of(alone), alone.y_mod, alone.h, alone.entropy)


def _measures(loss: SoftDTWLoss, targets: Sequence[ProbeTargets], threshold: float) -> dict[str, float]:
    if not targets:
        return dict.fromkeys(MEASURES, math.nan)
    # Of all probes, as if they were those of one item.
    levels = EventLevels(np.concatenate([each.levels.records for each in targets]))
    of_events = event_measures(levels, threshold)
    h = np.concatenate([each.h for each in targets])
    masses = np.concatenate([each.marginals.masses for each in targets])
    measures = {
        **{name: of_events[name] for name in _FROM_EVENTS},
        "collapse": share_of_collapsed_targets(masses),
        "entropy_rate": sum(each.entropy for each in targets) / len(h),
        "entropy_per_frame": float(np.mean(np.concatenate([e.marginals.frame_entropy for e in targets]))),
        "h_min": float(h.min()),
        "h_mean": float(h.mean(dtype=np.float64)),
        "h_max": float(h.max()),
        **_against_strong(loss, targets, threshold),
    }
    return {name: float(measures[name]) for name in MEASURES}


def _against_strong(loss: SoftDTWLoss, targets: Sequence[ProbeTargets], threshold: float) -> dict[str, float]:
    known = [(each, each.probe.strong) for each in targets if each.probe.strong is not None]
    if not known:
        return {"f_measure": math.nan, "predictions_f_measure": math.nan}
    strong = np.concatenate([roll for _, roll in known])
    y_mod = np.concatenate([each.y_mod for each, _ in known])
    predicted = np.concatenate([levels_of(loss, each.predictions) for each, _ in known])
    return {
        "f_measure": float(precision_recall_f(y_mod, strong, (threshold,))[0, 2]),
        "predictions_f_measure": float(precision_recall_f(predicted, strong, (threshold,))[0, 2]),
    }


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().numpy())
