"""The general model as an operator of `torch.library`, for `torch.compile`.

    warplens::model_of_costs(C, ...) -> value (B,) and its gradients in C and in the tensors of the model

Gradients are computed in the forward pass and backward scales them; one that is not wanted is an empty
tensor.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.family import core, operations
from warplens.torch.family.model import BatchModel, EndKind, Ends
from warplens.torch.inputs.batches import CostMatrices, widest_dtype

SOLVE: dict[str, Callable[[CostMatrices, BatchModel, Sequence[bool]], Solution]] = {
    "core": core.solve,
    "ops": operations.solve,
}
"""Name of a backend -> values (B,) and the wanted gradients in C and in the tensors of a model."""

_HARD = {None: -1, False: 0, True: 1}


def values(matrices: CostMatrices, model: BatchModel, backend: str) -> Tensor:
    """Return the values (B,), differentiable once in C and in the tensors of the model."""
    tensors = model.tensors()
    asked = torch.is_grad_enabled()
    outputs = torch.ops.warplens.model_of_costs(
        matrices.C,
        matrices.x_lengths,
        matrices.y_lengths,
        tensors,
        [size for sizes in model.sizes for size in sizes],
        model.entry.kind,
        model.exit.kind,
        model.exit_weight is not None,
        _HARD[model.is_hard],
        backend,
        [asked and tensor.requires_grad for tensor in (matrices.C, *tensors)],
    )
    return cast(Tensor, outputs[0])


def _kernel(
    C: Tensor,
    x_lengths: Tensor | None,
    y_lengths: Tensor | None,
    tensors: list[Tensor],
    sizes: Sequence[int],
    entry: EndKind,
    exit: EndKind,
    weighs_ends: bool,
    hard: int,
    backend: str,
    wanted: Sequence[bool],
) -> list[Tensor]:
    """Return values (B,), and the wanted gradients in C and in the tensors of the model, (B,...) each."""
    none = C.new_empty(0)
    structure = BatchModel(
        gamma=none,
        is_hard={number: is_hard for is_hard, number in _HARD.items()}[hard],
        sizes=tuple(zip(sizes[::2], sizes[1::2], strict=True)),
        weights=(),
        penalties=(),
        entry_weight=none,
        exit_weight=none if weighs_ends else None,
        entry=Ends(entry, (none,) * _COSTS[entry]),
        exit=Ends(exit, (none,) * _COSTS[exit]),
    )
    model = structure.with_tensors(tensors)
    matrices = CostMatrices(C, x_lengths, y_lengths, unbatched=False)
    value, gradients = SOLVE[backend](matrices, model, wanted)
    return [value, *(C.new_empty(0) if gradient is None else gradient for gradient in gradients)]


_COSTS = {"corner": 0, "row": 1, "column": 1, "border": 2, "cells": 1}


def _fake(C: Tensor, *arguments: Any) -> list[Tensor]:
    """Return outputs without values."""
    tensors, wanted = arguments[2], arguments[-1]
    pairs = C.shape[0]
    shapes = [C.shape, *((pairs, *tensor.shape[1:]) for tensor in tensors)]
    gradients = (
        tensor.new_empty(shape) if yes else C.new_empty(0)
        for tensor, shape, yes in zip((C, *tensors), shapes, wanted, strict=True)
    )
    return [C.new_empty((pairs,), dtype=widest_dtype(C.device)), *gradients]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    ctx.wanted, ctx.count = inputs[-1], len(inputs)
    ctx.shared = [tensor.ndim == 0 or len(tensor) == 1 for tensor in inputs[3]]
    ctx.numbers = [tensor.ndim == 0 for tensor in inputs[3]]
    ctx.mark_non_differentiable(*output[1:])
    # The others may be changed in place before backward, as a schedule of gamma does.
    asked = [tensor for tensor, yes in zip((inputs[0], *inputs[3]), ctx.wanted, strict=True) if yes]
    ctx.save_for_backward(*output[1:], *asked)


def _backward(ctx: Any, upstream: list[Tensor]) -> tuple[Any, ...]:
    factor = upstream[0]
    found: list[Any] = [None] * ctx.count
    count = len(ctx.wanted)
    (of_C, *of_tensors), asked = ctx.saved_tensors[:count], ctx.saved_tensors[count:]

    def once(gradient: Tensor) -> Tensor:
        # torch itself refuses to differentiate a compiled step twice.
        if not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return gradient
        return cast(Tensor, _DifferentiableOnce.apply(gradient, *asked))  # type: ignore[no-untyped-call]

    if ctx.wanted[0]:
        found[0] = once(of_C * factor.to(of_C).view(-1, 1, 1))
    found[3] = [
        once(_times(gradient, factor, is_shared, is_number)) if yes else None
        for gradient, is_shared, is_number, yes in zip(
            of_tensors, ctx.shared, ctx.numbers, ctx.wanted[1:], strict=True
        )
    ]
    return tuple(found)


def _times(gradient: Tensor, factor: Tensor, is_shared: bool, is_number: bool) -> Tensor:
    factor = factor.to(gradient)
    if is_number:
        return torch.dot(factor, gradient)
    product = gradient * factor.view(-1, 1, 1)
    return product.sum(0, keepdim=True) if is_shared else product


class _DifferentiableOnce(torch.autograd.Function):
    """A gradient as a function of its inputs whose backward raises, so that it is an error and not 0."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *inputs: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> None:
        raise RuntimeError(
            "soft DTW: compiled, steps, penalties and open ends have first derivatives only; for second ones "
            "call torch.autograd.grad(..., create_graph=True) outside of torch.compile"
        )


torch.library.define(
    "warplens::model_of_costs",
    "(Tensor C, Tensor? x_lengths, Tensor? y_lengths, Tensor[] tensors, int[] sizes, str entry, str exit, "
    "bool weighs_ends, int hard, str backend, bool[] wanted) -> Tensor[]",
)
torch.library.impl("warplens::model_of_costs", "default", _kernel)
torch.library.register_fake("warplens::model_of_costs", _fake)
torch.library.register_autograd("warplens::model_of_costs", _backward, setup_context=_setup_context)
