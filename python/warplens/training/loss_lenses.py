"""Alignments of probes by any loss of the family, in the one form that inspection needs.

A loss of the family shows its alignment by `align`, whose result has `value`, `h`, `y_mod`, `H`, `E` and
`entropy` as tensors. That is all inspection needs beside the targets: a class of losses joins by what
`describe_loss` says of it, and by an entry in `_SHOWN_BY`.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import warplens as wl
from warplens._costs import COSTS_WITHOUT_TARGETS
from warplens.analysis.level_colors import predicted_levels
from warplens.analysis.losses.alignments import LossAlignment, Shown, loss_alignment
from warplens.analysis.losses.options import SDTW, Loss
from warplens.analysis.losses.shown import probabilities_of
from warplens.analysis.losses.targets import TargetColumns, target_columns
from warplens.io import AnyItem, Floats, Item, LabelItem
from warplens.torch import CTCLoss, DropDTWLoss, ForwardSumLoss, MultiLabelCTCLoss, SoftDTWLoss
from warplens.torch.inputs.settings import bare_cost
from warplens.training.probes import Probe

InspectedLoss: TypeAlias = SoftDTWLoss | CTCLoss | ForwardSumLoss | MultiLabelCTCLoss | DropDTWLoss
"""A loss that can be inspected: one of the family, with a gamma."""


class ShownAlignment(Protocol):
    """Result of `align` of a loss, for one item without a batch axis."""

    @property
    def value(self) -> Tensor:
        """The loss, undivided; +inf where there is no path."""

    @property
    def h(self) -> Tensor:
        """(N,) weight of each frame; of multi-hot targets (N,A)."""

    @property
    def y_mod(self) -> Tensor:
        """(N,D) modified targets; of multi-hot targets (N,A,C)."""

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
    """Return the name of a loss, and of its options those that say what its targets and blanks are.

    Raises:
        TypeError: it is no loss that can be inspected.
    """
    if isinstance(loss, SoftDTWLoss):
        if is_plain(loss):
            return SDTW
        return Loss("subsequence", open_begin=loss.open_begin or "none", open_end=loss.open_end or "none")
    if isinstance(loss, CTCLoss):
        return Loss("ctc", blank=loss.blank, from_logits=loss.from_logits or None)
    if isinstance(loss, ForwardSumLoss):
        return Loss("forward-sum", blank_logprob=loss.blank_logprob)
    if isinstance(loss, MultiLabelCTCLoss):
        return Loss("multi-label-ctc", encoding=loss.encoding)
    if isinstance(loss, DropDTWLoss):
        return Loss("drop", drop=0.0)  # what it costs does not matter here
    raise TypeError(
        f"loss: is a {type(loss).__name__}; a SoftDTWLoss, CTCLoss, ForwardSumLoss, MultiLabelCTCLoss or "
        "DropDTWLoss is accepted"
    )


def is_plain(loss: SoftDTWLoss) -> bool:
    """Return True for the three steps between the corners, without penalties."""
    settings = (loss.steps, loss.step_penalties, loss.open_begin, loss.open_end)
    return all(setting is None for setting in settings)


def check_loss(loss: InspectedLoss) -> None:
    """Check that a loss has modified targets to inspect.

    Raises:
        TypeError: it is no loss that can be inspected.
        ValueError: it has no modified targets, or its drop costs are given by calls.
    """
    describe_loss(loss)
    if isinstance(loss, DropDTWLoss) and loss.drop is None:
        raise ValueError("loss: its drop costs are given by each call; give DropDTWLoss a drop to inspect it")
    if not isinstance(loss, SoftDTWLoss | DropDTWLoss):
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
        if getattr(loss, name, False):
            raise ValueError(
                f"loss: has {name}=True, whose gradient modified targets do not give: {why}; look at a "
                f"SoftDTWLoss without {name} if its targets are to be seen all the same"
            )


def check_probe(loss: InspectedLoss, probe: Probe) -> None:
    """Raise ValueError where a probe has not the targets that a loss needs."""
    wants_labels = describe_loss(loss).target_word == "label"
    if wants_labels != (probe.labels is not None):
        needed, has = ("labels", "weak targets") if wants_labels else ("weak targets", "labels")
        raise ValueError(f"probe {probe.id!r}: has {has}, but {type(loss).__name__} needs {needed}")


def levels_of(loss: InspectedLoss, probe: Probe, predictions: Floats) -> Floats:
    """Return predictions on the scale of Y_mod, (N,D): of labels the probabilities of classes that occur."""
    if isinstance(loss, SoftDTWLoss | DropDTWLoss):
        cost = bare_cost(loss.cost)
        assert isinstance(cost, str)
        return predicted_levels(predictions, cost)
    item, described = item_of(loss, probe, predictions), describe_loss(loss)
    assert isinstance(item, LabelItem)
    return probabilities_of(item, described, target_columns(item, described).classes)


def without_blank(
    loss: InspectedLoss, probe: Probe, predictions: Floats, *rolls: NDArray[Any]
) -> list[NDArray[Any]]:
    """Return rolls (N,D) over the classes of Y_mod without the blank, where there is one."""
    columns = target_columns(item_of(loss, probe, predictions), describe_loss(loss))
    return [columns.without_blank(roll) for roll in rolls]


def item_of(loss: InspectedLoss, probe: Probe, predictions: Floats) -> AnyItem:
    """Return a probe as an item of the kind that a loss needs."""
    if describe_loss(loss).kind == "features":
        assert probe.weak is not None
        weak = np.asarray(probe.weak, np.float64)
        return Item(predictions, weak, probe.strong)
    return LabelItem(predictions, probe.labels, probe.weak, probe.strong)


def taught_on(loss: InspectedLoss, probe: Probe, x: Tensor, gamma: float) -> Taught:
    """Align a probe by the settings of a loss.

    Raises:
        NoPathError: it has no path.
        ValueError: predictions and targets do not fit.
    """
    shown = shown_on(loss, probe, x, gamma)
    described = describe_loss(loss)
    targets = target_columns(item_of(loss, probe, _array(x)), described)
    y_mod = _array(shown.y_mod)
    arrays = Shown(
        float(shown.value),
        float(shown.entropy),
        _array(shown.H),
        _array(shown.E),
        _array(shown.h),
        y_mod[:, targets.classes] if described.target_word == "label" else y_mod,
    )
    return Taught(loss_alignment(arrays, described), targets)


def shown_on(loss: InspectedLoss, probe: Probe, x: Tensor, gamma: float) -> ShownAlignment:
    """Align a probe by the settings of a loss, at a gamma.

    Raises:
        NoPathError: it has no path.
        ValueError: predictions and targets do not fit.
    """
    shown = _SHOWN_BY[type(loss)](at_gamma(loss, gamma), probe, x)
    if not bool(shown.value.isfinite()):
        raise wl.NoPathError("no path: the targets need more frames, or all paths are forbidden")
    return shown


def core_settings(loss: SoftDTWLoss) -> dict[str, Any]:
    """Return the settings of a plain loss but cost and gamma, as the functions of `warplens` take them."""
    return {
        "step_weights": loss.step_weights.tolist(),
        "band": loss.band,
        "feature_weights": None if loss.feature_weights is None else _array(loss.feature_weights),
        "pos_weight": None if loss.pos_weight is None else _array(loss.pos_weight),
        "feature_reduction": loss.feature_reduction,
        "threads": 1,
    }


def at_gamma(loss: Any, gamma: float) -> Any:
    """Return a loss, or a copy of it with another gamma: the one that is trained stays as it is."""
    if float(loss.gamma.detach()) == gamma:
        return loss
    other = copy.deepcopy(loss)
    with torch.no_grad():
        other.gamma.fill_(gamma)
    return other


def _on_weak(loss: Any, probe: Probe, x: Tensor) -> ShownAlignment:
    weak = torch.as_tensor(probe.weak, device=x.device, dtype=x.dtype)
    shown: ShownAlignment = loss.align(x, weak)
    return shown


def _on_labels(loss: CTCLoss, probe: Probe, x: Tensor) -> Any:
    labels = torch.as_tensor(probe.labels, device=x.device)
    return loss.align(x, labels, [len(x)], [len(labels)])


def _on_tokens(loss: ForwardSumLoss, probe: Probe, x: Tensor) -> Any:
    assert probe.labels is not None
    if x.shape[1] != len(probe.labels):
        raise ValueError(
            f"probe {probe.id!r}: predictions have {x.shape[1]} tokens and the probe {len(probe.labels)} "
            "labels; ForwardSumLoss needs a column for each"
        )
    return loss.align(x)


_SHOWN_BY: dict[type[Any], Callable[[Any, Probe, Tensor], ShownAlignment]] = {
    SoftDTWLoss: _on_weak,
    DropDTWLoss: _on_weak,
    MultiLabelCTCLoss: _on_weak,
    CTCLoss: _on_labels,
    ForwardSumLoss: _on_tokens,
}


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().numpy())
