"""Alignments of probes by any loss of the family, in the one form that inspection needs.

A loss of the family shows its alignment by `align`, whose result has `value`, `h`, `H`, `E` and `entropy` as
tensors. That is all inspection needs beside the targets: a class of losses joins by an entry in `_SHOWN_BY`.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

import warplens as wl
from warplens._costs import COSTS_WITHOUT_TARGETS
from warplens.analysis.level_colors import predicted_levels
from warplens.analysis.losses.alignments import LossAlignment
from warplens.analysis.losses.options import SDTW, Loss
from warplens.analysis.losses.targets import TargetColumns, target_columns
from warplens.io import Floats, LabelItem
from warplens.torch import CTCLoss, SoftDTWLoss
from warplens.torch.inputs.settings import bare_cost
from warplens.training.probes import Probe

InspectedLoss: TypeAlias = SoftDTWLoss | CTCLoss
"""A loss that can be inspected: one of the family, with a gamma."""


class ShownAlignment(Protocol):
    """Result of `align` of a loss, for one item without a batch axis."""

    @property
    def value(self) -> Tensor:
        """The loss, undivided."""

    @property
    def h(self) -> Tensor:
        """(N,) weight of each frame."""

    @property
    def H(self) -> Tensor:
        """(N,M) dvalue/dC."""

    @property
    def E(self) -> Tensor:
        """(N,M) occupancy."""

    @property
    def entropy(self) -> Tensor:
        """Entropy of the distribution of paths, in nats."""


class Taught(NamedTuple):
    """Alignment of a probe, and the columns of its targets."""

    aligned: LossAlignment
    targets: TargetColumns


def describe_loss(loss: InspectedLoss) -> Loss:
    """Return the name of a loss, and of its options what names its targets.

    Raises:
        TypeError: it is no loss that can be inspected.
    """
    if isinstance(loss, CTCLoss):
        return Loss("ctc", blank=loss.blank)
    if isinstance(loss, SoftDTWLoss):
        return SDTW
    raise TypeError(f"loss: is a {type(loss).__name__}; a SoftDTWLoss or a CTCLoss is accepted")


def check_loss(loss: InspectedLoss) -> None:
    """Check that a loss has modified targets to inspect.

    Raises:
        TypeError: it is no loss that can be inspected.
        ValueError: it has no modified targets.
    """
    describe_loss(loss)
    if not isinstance(loss, SoftDTWLoss):
        return
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


def check_probe(loss: InspectedLoss, probe: Probe) -> None:
    """Raise ValueError where a probe has not the targets that a loss needs."""
    wants_labels = describe_loss(loss).kind == "labels"
    if wants_labels != (probe.labels is not None):
        needed, has = ("labels", "weak targets") if wants_labels else ("weak targets", "labels")
        raise ValueError(f"probe {probe.id!r}: has {has}, but {type(loss).__name__} needs {needed}")


def levels_of(loss: InspectedLoss, probe: Probe, predictions: Floats) -> Floats:
    """Return predictions on the scale of Y_mod, (N,D): of labels the probabilities of classes that occur."""
    if isinstance(loss, SoftDTWLoss):
        cost = bare_cost(loss.cost)
        assert isinstance(cost, str)
        return predicted_levels(predictions, cost)
    classes = targets_of(loss, probe, predictions).classes
    if loss.from_logits:
        return predicted_levels(predictions, "ce_logits")[:, classes]
    return np.asarray(np.exp(predictions[:, classes]))


def targets_of(loss: InspectedLoss, probe: Probe, predictions: Floats) -> TargetColumns:
    """Lay out the labels of a probe as columns of its alignments."""
    item = LabelItem(predictions, probe.labels, strong=probe.strong)
    return target_columns(item, describe_loss(loss))


def taught_on_labels(loss: InspectedLoss, probe: Probe, x: Tensor, gamma: float) -> Taught:
    """Align a probe with labels by the settings of a loss.

    Raises:
        NoPathError: it has no path.
        ValueError: labels are outside the classes, or the blank.
    """
    assert isinstance(loss, CTCLoss)
    shown = _SHOWN_BY[CTCLoss](at_gamma(loss, gamma), probe, x)
    if not bool(shown.value.isfinite()):
        raise wl.NoPathError("no path: the labels need more frames, or classes of probability 0")
    targets = targets_of(loss, probe, _array(x))
    H, E, h = _array(shown.H), _array(shown.E), _array(shown.h)
    rows = H / np.where(h < _LEAST_ROW_SUM, np.inf, h)[:, np.newaxis]
    y_mod = _array(shown.y_mod)[:, targets.classes]
    presence = np.minimum(E.sum(axis=1, dtype=np.float64), 1.0)
    blank_share = float(E[:, ~targets.counted].sum(dtype=np.float64) / len(E))
    return Taught(
        LossAlignment(float(shown.value), float(shown.entropy), H, rows, h, presence, y_mod, blank_share),
        targets,
    )


def at_gamma(loss: Any, gamma: float) -> Any:
    """Return a loss, or a copy of it with another gamma: the one that is trained stays as it is."""
    if float(loss.gamma.detach()) == gamma:
        return loss
    other = copy.deepcopy(loss)
    with torch.no_grad():
        other.gamma.fill_(gamma)
    return other


def _of_ctc(loss: CTCLoss, probe: Probe, x: Tensor) -> Any:
    labels = torch.as_tensor(probe.labels, device=x.device)
    return loss.align(x, labels, [len(x)], [len(labels)])


_SHOWN_BY: dict[type[Any], Callable[[Any, Probe, Tensor], Any]] = {CTCLoss: _of_ctc}
"""Functions by which losses of labels align a probe, as `ShownAlignment`s with y_mod."""

_LEAST_ROW_SUM = 1e-20


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().numpy())
