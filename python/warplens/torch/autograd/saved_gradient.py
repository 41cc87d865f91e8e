"""Values whose gradient is computed in the forward pass and saved for backward.

The value of a pair is one number, so its gradient differs from what backward must return only by the upstream
factor of that pair. Both sweeps of the recursion therefore run inside forward, whose large scratch is then
free, and backward scales what was saved.

The part of that factor which forward knows, the scale of each pair in a mean, is multiplied in there and in
place: a second array of gradients costs more than the product. Where the rest of the factor is 1, as it is
when `backward` is called on the loss itself, the saved gradients are returned as they are.

Under `create_graph=True` these numbers cannot be differentiated: there the gradients come from a function of
the inputs that can be (`second_derivative`, `second_derivative_of_pairs`).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from warplens.torch.autograd.second_derivative import check_one_by_one
from warplens.torch.inputs.batches import as_dtype
from warplens.torch.inputs.torch_private import is_graph_kept, stands_for_many


class Solution(NamedTuple):
    """Values of a batch, and their gradients."""

    value: Tensor  # (B,)
    gradients: Sequence[Tensor | None]  # (B,...) for each input, None where not wanted


Solve: TypeAlias = Callable[[Sequence[bool]], Solution]
"""Which inputs need a gradient -> values, and those gradients."""
DifferentiableGradient: TypeAlias = Callable[
    [Sequence[Tensor], Sequence[Tensor | None], Tensor, Sequence[bool]], Sequence[Tensor | None]
]
"""Inputs, their gradients without a graph, factors f (B,), which inputs need one -> differentiable gradients.

The gradients are those of sum_b f(b) values(b).
"""


def pair_values(
    solve: Solve,
    differentiable_gradient: DifferentiableGradient,
    batched: Sequence[Tensor],
    shared: Sequence[Tensor],
    pair_scale: Tensor | None = None,
    total: torch.dtype | None = None,
    numbers: Sequence[Any] | None = None,
) -> Tensor:
    """Return values (B,) of `solve` times `pair_scale`, or their sum (), differentiable in its inputs.

    What needs no gradient costs nothing.

    Args:
        solve: computes values and those gradients that are asked for, in the order batched, shared.
        differentiable_gradient: returns the gradients of a sum of values as differentiable functions.
        batched: inputs (B,...), of which each pair has its own slice.
        shared: inputs that all pairs share; their gradient is summed over the pairs.
        pair_scale: (B,) float64 constants, on the device of the values; None: all 1.
        total: the dtype of the sum; None: the values themselves. To sum here spares a small step a third of
            its operations.
        numbers: those of the shared inputs, where they are known: a small step need not copy them.
    """
    inputs = (*batched, *shared)
    is_asked = torch.is_grad_enabled()
    wanted = [is_asked and tensor.requires_grad for tensor in inputs]
    if not any(wanted):
        return reduced(_scaled(solve(wanted).value, pair_scale), total)
    values = _SavedGradient.apply(  # type: ignore[no-untyped-call]
        solve, differentiable_gradient, wanted, len(batched), pair_scale, total, numbers, *inputs
    )
    return cast(Tensor, values)


def reduced(values: Tensor, total: torch.dtype | None) -> Tensor:
    """Return values (B,), or their sum () in a dtype."""
    if total is None:
        return values
    return as_dtype(values.view(()) if len(values) == 1 else values.sum(), total)


class _SavedGradient(torch.autograd.Function):
    """Values (B,) of `solve` times `pair_scale`, or their sum."""

    @staticmethod
    def forward(
        ctx: Any,
        solve: Solve,
        differentiable_gradient: DifferentiableGradient,
        wanted: list[bool],
        batched: int,
        pair_scale: Tensor | None,
        total: torch.dtype | None,
        numbers: Sequence[Any] | None,
        *inputs: Tensor,
    ) -> Tensor:
        values, gradients = solve(wanted)
        if pair_scale is not None:
            for gradient in gradients:
                if gradient is not None:
                    _multiply(gradient, _fit(pair_scale, gradient), out=gradient)
        # Shared inputs may be changed in place before backward, as a schedule of gamma does; they are small.
        kept = [
            tensor if index < batched or yes else (tensor.clone() if numbers is None else None)
            for index, (tensor, yes) in enumerate(zip(inputs, wanted, strict=True))
        ]
        ctx.save_for_backward(
            *(
                g if g is None or g.device == tensor.device else g.to(tensor.device)
                for g, tensor in zip(gradients, inputs, strict=True)
            ),
            *kept,
        )
        ctx.differentiable_gradient, ctx.wanted, ctx.pair_scale = differentiable_gradient, wanted, pair_scale
        ctx.batched, ctx.numbers = batched, numbers
        ctx.dtypes = [tensor.dtype for tensor in inputs]
        ctx.values = None if total is None else (values.dtype, len(values))
        return reduced(_scaled(values, pair_scale), total)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        constants = (None,) * 7
        saved = ctx.saved_tensors  # unpacked once: checkpointing allows no more
        gradients, inputs = saved[: len(ctx.wanted)], saved[len(ctx.wanted) :]
        with_graph = torch.is_grad_enabled()
        if with_graph:
            check_one_by_one(upstream)
        if not with_graph:
            return *constants, *_of_inputs(ctx, gradients, upstream)
        with torch.no_grad():
            results = _of_inputs(ctx, gradients, upstream)
        if ctx.values is not None:
            dtype, pairs = ctx.values
            upstream = upstream.to(dtype).expand(pairs)
        factors = _scaled(upstream, ctx.pair_scale)
        if ctx.numbers is not None:
            shared = zip(inputs[ctx.batched :], ctx.numbers, ctx.dtypes[ctx.batched :], strict=True)
            made = (
                torch.tensor(number, dtype=dtype) if tensor is None else tensor
                for tensor, number, dtype in shared
            )
            inputs = (*inputs[: ctx.batched], *made)
        return *constants, *ctx.differentiable_gradient(inputs, results, factors, ctx.wanted)


def _of_inputs(ctx: Any, gradients: Sequence[Tensor | None], upstream: Tensor) -> list[Tensor | None]:
    """Return the saved gradients times their factors."""
    # A gradient that is kept for another backward is not returned itself: its receiver may change it.
    unscaled = not is_graph_kept() and _is_all_one(upstream)
    return [
        None if gradient is None else _times(gradient, upstream, dtype, index < ctx.batched, unscaled)
        for index, (gradient, dtype) in enumerate(zip(gradients, ctx.dtypes, strict=True))
    ]


def _times(
    gradient: Tensor, upstream: Tensor, dtype: torch.dtype, is_batched: bool, unscaled: bool
) -> Tensor:
    """Return gradients of pairs times their factors, (B,) or (), summed where all pairs share the input."""
    if not is_batched:
        factor = upstream.to(device=gradient.device, dtype=gradient.dtype).expand(len(gradient))
        total: Tensor = torch.tensordot(factor, gradient, dims=1)
        return total.to(dtype)
    return as_dtype(gradient if unscaled else _multiply(gradient, _fit(upstream, gradient)), dtype)


def _is_all_one(upstream: Tensor) -> bool:
    """Return True if every factor is known to be 1: never on devices and for batched gradients."""
    if upstream.device.type != "cpu" or stands_for_many(upstream):
        return False
    if upstream.ndim == 0:
        return upstream.item() == 1.0
    return upstream.tolist() == [1.0] * len(upstream)  # for a few pairs much faster than an operation


def _scaled(values: Tensor, pair_scale: Tensor | None) -> Tensor:
    return values if pair_scale is None else values * pair_scale


def _fit(factor: Tensor, gradient: Tensor) -> Tensor:
    """Bring a factor (B,) or () to the dtype and the number of axes of a gradient (B,...)."""
    factor = factor.to(device=gradient.device, dtype=gradient.dtype)
    return factor.view(-1, *[1] * (gradient.ndim - 1))


def _multiply(gradient: Tensor, factor: Tensor, out: Tensor | None = None) -> Tensor:
    """Multiply them; on the CPU by NumPy, which leaves torch's threads asleep.

    Woken for so small a task, they would spin for milliseconds on the cores that the next forward pass needs.
    """
    if gradient.device.type != "cpu" or stands_for_many(factor):
        return torch.mul(gradient, factor, out=out)
    product = np.multiply(gradient.numpy(), factor.numpy(), out=None if out is None else out.numpy())
    return torch.from_numpy(product)
