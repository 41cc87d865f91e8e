"""Values of frame-synchronous losses, as functions that autograd knows.

They come from the compiled core on the CPU, from torch operations elsewhere.

Gradients are computed in the forward pass and scaled in backward, as those of soft DTW. Under
`create_graph=True` they are made anew by `operations`, which autograd differentiates on. Compiled, the loss
is the operator `warplens::frame_synchronous`, whose gradients are first ones; transforms of `torch.func` go
through `operations`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, cast

import torch
from torch import Tensor

from warplens.torch.autograd.saved_gradient import Solution, pair_values
from warplens.torch.frame_synchronous import core, operations
from warplens.torch.frame_synchronous.batches import ClassBatch, GraphSettings, TensorsOfBatch, as_batch
from warplens.torch.inputs.batches import widest_dtype
from warplens.torch.inputs.torch_private import is_transformed

FrameSynchronousBackend: TypeAlias = Literal["core", "ops"]

_SOLVE: dict[str, Callable[[ClassBatch, GraphSettings, Tensor | None, Sequence[bool]], Solution]] = {
    "core": core.solve,
    "ops": operations.solve,
}
_LENS: dict[str, Callable[[ClassBatch, GraphSettings, Sequence[str]], dict[str, Tensor]]] = {
    "core": core.lens,
    "ops": operations.lens,
}


def backend_of(name: FrameSynchronousBackend | None, device: torch.device) -> FrameSynchronousBackend:
    """Return the name of a backend; with None the core on the CPU and on devices without float64, else "ops".

    Raises:
        ValueError: There is no backend of that name.
    """
    if name is not None and name not in _SOLVE:
        names = ", ".join(repr(each) for each in _SOLVE)
        raise ValueError(f"backend: is {name!r}; this loss has {names}, and None to choose by device")
    return name or ("core" if device.type in ("cpu", "mps") else "ops")


def values(
    tensors: TensorsOfBatch,
    settings: GraphSettings,
    backend: FrameSynchronousBackend,
    scale: Tensor | None = None,
) -> Tensor:
    """Return the values (B,) times `scale` (B,) float64, constants."""
    if torch.compiler.is_compiling():
        return _by_operator(tensors, settings, backend, scale)
    batch = as_batch(tensors, settings.blank)
    if is_transformed():
        inputs = (batch.scores, settings.gamma, settings.blank_penalty)
        found = operations.values(batch, inputs, settings)
        return found if scale is None else found * scale.to(found)
    shape_alone = replace(batch, scores=torch.empty(0))  # autograd keeps the scores themselves

    def solve(wanted: Sequence[bool]) -> Solution:
        return _SOLVE[backend](batch, settings, scale, wanted)

    def recompute(
        inputs: Sequence[Tensor],
        _gradients: Sequence[Tensor | None],
        factors: Tensor,
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        views = [tensor.view_as(tensor) for tensor in inputs]
        found = operations.values(shape_alone, views, settings)
        found = torch.where(found.isinf(), 0.0, found)
        factors = factors if scale is None else factors * scale.to(factors)
        asked = [view for view, yes in zip(views, wanted, strict=True) if yes]
        total = (found * factors.to(found)).sum()
        gradients = iter(torch.autograd.grad(total, asked, create_graph=True, materialize_grads=True))
        return [next(gradients) if yes else None for yes in wanted]

    return pair_values(solve, recompute, [batch.scores], [settings.gamma, settings.blank_penalty])


def results(
    tensors: TensorsOfBatch, settings: GraphSettings, backend: FrameSynchronousBackend, names: Sequence[str]
) -> dict[str, Tensor]:
    """Return `value` and the named outputs, batch first, without gradients."""
    batch = as_batch(tensors, settings.blank)
    return _LENS[backend](batch, settings, names)


# --- the operator for torch.compile -------------------------------------------------------------------------


def _by_operator(
    tensors: TensorsOfBatch,
    settings: GraphSettings,
    backend: FrameSynchronousBackend,
    scale: Tensor | None,
) -> Tensor:
    scores, targets, input_lengths, target_lengths = tensors
    differentiated = (scores, settings.gamma, settings.blank_penalty)
    wanted = [torch.is_grad_enabled() and tensor.requires_grad for tensor in differentiated]
    batch_first = scores.is_contiguous()
    outputs = torch.ops.warplens.frame_synchronous(
        scores if batch_first else scores.transpose(0, 1).contiguous(),
        settings.gamma,
        settings.blank_penalty,
        targets,
        input_lengths,
        target_lengths,
        settings.class_costs,
        scale,
        settings.blank,
        settings.blank_weight,
        settings.free_between,
        settings.from_logits,
        batch_first,
        backend,
        wanted,
    )
    return cast(Tensor, outputs[0])


def _kernel(
    scores: Tensor,
    gamma: Tensor,
    blank_penalty: Tensor,
    targets: Tensor | None,
    input_lengths: Tensor,
    target_lengths: Tensor,
    class_costs: Tensor | None,
    scale: Tensor | None,
    blank: int | None,
    blank_weight: float,
    free_between: bool,
    from_logits: bool,
    batch_first: bool,
    backend: str,
    wanted: Sequence[bool],
) -> tuple[Tensor, ...]:
    """Return values (B,), and the wanted gradients in scores (as they lie), gamma (B,) and penalty (B,)."""
    items_first = scores if batch_first else scores.transpose(0, 1)
    batch = as_batch((items_first, targets, input_lengths, target_lengths), blank)
    settings = GraphSettings(
        blank, gamma, blank_penalty, blank_weight, free_between, class_costs, from_logits
    )
    value, gradients = _SOLVE[backend](batch, settings, scale, wanted)
    of_scores, *shared = gradients
    if of_scores is not None:
        of_scores = (of_scores if batch_first else of_scores.transpose(0, 1)).contiguous()
    outputs = (scores.new_empty(0) if each is None else each for each in (of_scores, *shared))
    return value, *outputs


def _fake(scores: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    """Return outputs without values."""
    *_, batch_first, _, wanted = arguments
    items, exact = scores.shape[0 if batch_first else 1], widest_dtype(scores.device)
    shapes = [(scores.shape, scores.dtype), ((items,), exact), ((items,), exact)]
    gradients = (
        scores.new_empty(shape, dtype=dtype) if yes else scores.new_empty(0)
        for (shape, dtype), yes in zip(shapes, wanted, strict=True)
    )
    return scores.new_empty((items,), dtype=exact), *gradients


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.wanted, ctx.count, ctx.items_axis = inputs[-1], len(inputs), 0 if inputs[-3] else 1
    ctx.like = [(tensor.dtype, tensor.device) for tensor in inputs[1:3]]
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(*output[1:])


def _backward(ctx: Any, upstream: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    of_scores, *shared = ctx.saved_tensors
    found: list[Tensor | None] = [None] * ctx.count
    if ctx.wanted[0]:
        factor = upstream.to(of_scores).view(-1, *[1] * (2 - ctx.items_axis))
        found[0] = of_scores * factor
    for place, (gradient, (dtype, device)) in enumerate(zip(shared, ctx.like, strict=True), start=1):
        if ctx.wanted[place]:
            found[place] = torch.tensordot(upstream.to(gradient), gradient, dims=1).to(device, dtype)
    return tuple(found)


torch.library.define(
    "warplens::frame_synchronous",
    "(Tensor scores, Tensor gamma, Tensor blank_penalty, Tensor? targets, Tensor input_lengths, "
    "Tensor target_lengths, Tensor? class_costs, Tensor? scale, int? blank, float blank_weight, "
    "bool free_between, bool from_logits, bool batch_first, str backend, bool[] wanted) "
    "-> (Tensor, Tensor, Tensor, Tensor)",
)
torch.library.impl("warplens::frame_synchronous", "default", _kernel)
torch.library.register_fake("warplens::frame_synchronous", _fake)
torch.library.register_autograd("warplens::frame_synchronous", _backward, setup_context=_setup_context)
