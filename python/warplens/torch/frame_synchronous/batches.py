"""Scores of classes, targets and lengths, those of CTC in all the forms that `torch.nn.CTCLoss` takes.

Values of tensors are read on the CPU in eager mode only, as for sequences. Elsewhere a label out of range or
a length that is too large gives the error of torch's own gather, or of the compiled core in its operator.
"""

from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import torch
from torch import Tensor

from warplens.torch.inputs.batches import (
    Lengths,
    as_dtype,
    check_tensor,
    dtype_of_results,
    one_int_each,
    values_are_readable,
)


@dataclass(frozen=True)
class ClassBatch:
    """Scores and targets of B items."""

    scores: Tensor  # (B,T,K) float32 or float64, often a view of (T,B,K)
    labels: Tensor | None  # (B,S) int64 on the device of the scores, padded with anything
    frames: Tensor  # (B,) int64 on their device
    label_lengths: Tensor  # (B,) int64 on their device


@dataclass(frozen=True)
class GraphSettings:
    """Softness, and what blanks and classes cost."""

    blank: int | None  # None: no blanks; the targets of an item are the first classes, in order
    gamma: Tensor  # () float64
    blank_penalty: Tensor  # () float64
    blank_weight: float
    free_between: bool
    class_costs: Tensor | None  # (K,) float64, constants
    from_logits: bool

    @classmethod
    def plain(cls, blank: int | None, gamma: Tensor, *, from_logits: bool = False) -> Self:
        """Return settings where blanks cost no more than their scores say."""
        nothing = torch.zeros((), dtype=torch.float64)
        return cls(blank, gamma, nothing, 1.0, False, None, from_logits)

    def snapshot(self) -> Self:
        """Return a copy that changes in place do not reach."""
        return replace(
            self,
            gamma=self.gamma.detach().clone(),
            blank_penalty=self.blank_penalty.detach().clone(),
        )


TensorsOfBatch: TypeAlias = tuple[Tensor, Tensor | None, Tensor, Tensor]
"""scores (B,T,K), targets (B,S) or (sum S,), None without a blank, frames (B,), target lengths (B,)."""


def as_tensors(
    log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths
) -> TensorsOfBatch:
    """Check shapes and dtypes; values of targets and lengths are checked by `as_batch`.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: Shapes do not fit.
    """
    accepted = "(frames, batch, classes) or (frames, classes) is accepted"
    check_tensor("log_probs", log_probs, accepted)
    if not log_probs.dtype.is_floating_point:
        raise TypeError(f"log_probs: has dtype {log_probs.dtype}; floating point numbers are accepted")
    if log_probs.shape[-1] == 0:
        raise ValueError(f"log_probs: has shape {tuple(log_probs.shape)}; at least one class is needed")
    unbatched = log_probs.ndim == 2
    scores = log_probs.unsqueeze(1) if unbatched else log_probs
    items = scores.shape[1]
    if items == 0:
        raise ValueError(f"log_probs: has shape {tuple(log_probs.shape)}; at least one item is needed")
    _check_integers("targets", targets)
    if targets.ndim not in ((1,) if unbatched else (1, 2)):
        form = "(labels,)" if unbatched else "(batch, labels), or all labels one after the other,"
        raise ValueError(f"targets: has shape {tuple(targets.shape)}; {form} is accepted")
    if targets.ndim == 2 and len(targets) != items:
        raise ValueError(
            f"targets: has shape {tuple(targets.shape)}; "
            f"log_probs {tuple(log_probs.shape)} hold {items} items"
        )
    dtype = dtype_of_results(scores.dtype)
    return (
        as_dtype(scores, dtype).transpose(0, 1),
        targets.unsqueeze(0) if unbatched else targets,
        one_int_each("input_lengths", input_lengths, items, "items", unbatched),
        one_int_each("target_lengths", target_lengths, items, "items", unbatched),
    )


def as_batch(tensors: TensorsOfBatch, blank: int | None) -> ClassBatch:
    """Bring targets to one form and check values where they can be read.

    Raises:
        ValueError: A length is out of range, a label is not a class or is the blank, or labels are not as
            many as the lengths say.
    """
    scores, targets, input_lengths, target_lengths = tensors
    device = scores.device
    frames, counts = (each.to(device=device, dtype=torch.int64) for each in (input_lengths, target_lengths))
    if targets is None or blank is None:
        return ClassBatch(scores, None, frames, counts)
    _, longest, classes = scores.shape
    if not 0 <= blank < classes:
        raise ValueError(f"blank: is {blank}; classes are from 0 to {classes - 1}")
    readable = all(values_are_readable(tensor) for tensor in (targets, input_lengths, target_lengths))
    if readable:
        _check_lengths("input_lengths", input_lengths, longest, "the frames of log_probs")
        most = targets.shape[1] if targets.ndim == 2 else len(targets)
        _check_lengths("target_lengths", target_lengths, most, "the labels of targets")
        total = int(target_lengths.sum())
        if targets.ndim == 1 and total != len(targets):
            raise ValueError(f"targets: holds {len(targets)} labels; target_lengths add up to {total}")
    labels = targets.to(device=device, dtype=torch.int64)
    if labels.ndim == 1:
        labels = _padded(labels, counts)
    if readable and labels.numel() and device.type == "cpu":
        _check_labels(labels, counts, classes, blank)
    return ClassBatch(scores, labels, frames, counts)


def columns_of(batch: ClassBatch, blank: int | None) -> Tensor:
    """Return the class of each column of the expanded targets, (B,2S+1) int64: blank, label, blank, ...

    Columns past the last one of an item are blanks. Without a blank they are all classes, (B,K).
    """
    if batch.labels is None or blank is None:
        items, _, classes = batch.scores.shape
        return torch.arange(classes, device=batch.scores.device).expand(items, -1)
    items, longest = batch.labels.shape
    places = torch.arange(longest, device=batch.labels.device)
    labels = torch.where(places < batch.label_lengths[:, None], batch.labels, blank)
    columns = labels.new_full((items, 2 * longest + 1), blank)
    columns[:, 1::2] = labels
    return columns


def _padded(labels: Tensor, lengths: Tensor) -> Tensor:
    """Bring labels one after the other to rows (B,S)."""
    longest = int(lengths.max()) if len(lengths) else 0
    if longest == 0:
        return labels.new_zeros((len(lengths), 0))
    starts = lengths.cumsum(0) - lengths
    places = torch.arange(longest, device=labels.device)
    return labels[(starts[:, None] + places).clamp(max=len(labels) - 1)]


def _check_integers(name: str, tensor: object) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: is a {type(tensor).__name__}; a torch.Tensor of integers is accepted")
    if tensor.dtype == torch.bool or tensor.is_floating_point() or tensor.is_complex():
        raise TypeError(f"{name}: has dtype {tensor.dtype}; integers are accepted")


def _check_lengths(name: str, lengths: Tensor, most: int, of: str) -> None:
    for index, length in enumerate(lengths.tolist()):
        if not 0 <= length <= most:
            raise ValueError(f"{name}: entry {index} is {length}; a length is from 0 to {most}, {of}")


def _check_labels(labels: Tensor, lengths: Tensor, classes: int, blank: int) -> None:
    inside = torch.arange(labels.shape[1]) < lengths[:, None]
    bad = inside & ((labels < 0) | (labels >= classes) | (labels == blank))
    if not bad.any():
        return
    item, place = bad.nonzero()[0].tolist()
    label = int(labels[item, place])
    reason = (
        "the blank; leave blanks out, or name another class as the blank"
        if label == blank
        else f"no class; classes are from 0 to {classes - 1}"
    )
    raise ValueError(f"targets: label {place} of item {item} is {label}, {reason}")
