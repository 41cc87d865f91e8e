"""Frame-synchronous losses by the compiled core, in place for either order of frames and items."""

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from warplens import _core
from warplens._core import MOST_THREADS
from warplens.torch.autograd.kept_memory import empty_like
from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.frame_synchronous.batches import ClassBatch, GraphSettings


def solve(
    batch: ClassBatch, settings: GraphSettings, scale: Tensor | None, wanted: Sequence[bool]
) -> Solution:
    """Return values times `scale`, and the wanted gradients in scores, gamma and penalty, the first times it.

    Those in gamma and in the penalty are times it too, (B,) each.
    """
    wants_scores, wants_gamma, wants_penalty = wanted
    array, batch_first = _array_in_place(batch.scores)
    backward = wants_scores or wants_penalty
    grad = empty_like(array) if backward else None
    outputs = ["entropy"] if wants_gamma else []
    results = _call(array, batch_first, batch, settings, outputs, grad, scale)
    value = torch.from_numpy(results["value"])
    gradients: list[Tensor | None] = [None, None, None]
    if wants_scores and grad is not None:
        of_scores = torch.from_numpy(grad)
        gradients[0] = (of_scores if batch_first else of_scores.transpose(0, 1)).to(batch.scores.device)
    if wants_gamma:
        gradients[1] = -torch.from_numpy(results["entropy"])
    if wants_penalty:
        gradients[2] = torch.from_numpy(results["blank_uses"])
    if scale is None:
        return Solution(value.to(batch.scores.device), gradients)
    scale = scale.cpu()
    scaled = [g if g is None or place == 0 else g * scale for place, g in enumerate(gradients)]
    return Solution((value * scale).to(batch.scores.device), scaled)


def lens(batch: ClassBatch, settings: GraphSettings, names: Sequence[str]) -> dict[str, Tensor]:
    """Return `value` and the named outputs of the core, batch first."""
    array, batch_first = _array_in_place(batch.scores)
    results = _call(array, batch_first, batch, settings, names, None, None)
    return {name: torch.from_numpy(result) for name, result in results.items()}


def _call(
    array: NDArray[Any],
    batch_first: bool,
    batch: ClassBatch,
    settings: GraphSettings,
    outputs: Sequence[str],
    grad: NDArray[Any] | None,
    scale: Tensor | None,
) -> dict[str, NDArray[Any]]:
    label_lengths = batch.label_lengths.cpu()
    labels = None
    if batch.labels is not None:
        inside = torch.arange(batch.labels.shape[1]) < label_lengths[:, None]
        labels = batch.labels.cpu()[inside].numpy()
    class_costs = settings.class_costs
    return _core.frame_synchronous_padded(
        array,
        batch_first=batch_first,
        frames=batch.frames.cpu().numpy(),
        labels=labels,
        label_lengths=label_lengths.numpy(),
        blank=settings.blank,
        settings={
            "gamma": settings.gamma.item(),
            "blank_penalty": settings.blank_penalty.item(),
            "blank_weight": settings.blank_weight,
            "free_between": settings.free_between,
            "class_costs": None if class_costs is None else class_costs.detach().cpu().numpy(),
            "from_logits": settings.from_logits,
        },
        outputs=outputs,
        grad=grad,
        scale=None if scale is None else scale.cpu().numpy(),
        threads=min(torch.get_num_threads(), MOST_THREADS),
    )


def _array_in_place(scores: Tensor) -> tuple[NDArray[Any], bool]:
    """Return scores (B,T,K) as they lie in memory, and True if items come before frames there."""
    scores = scores.detach().cpu()
    if not scores.transpose(0, 1).is_contiguous() and scores.is_contiguous():
        return scores.numpy(), True
    return scores.transpose(0, 1).contiguous().numpy(), False
