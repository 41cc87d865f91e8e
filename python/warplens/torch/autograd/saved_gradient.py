"""Values whose gradient is ready in the forward pass.

The value of a pair is one number, so its gradient differs from what backward must return only by the upstream
factor of that pair. Both sweeps of the recursion therefore run inside forward, whose large scratch is then
free, and backward scales what was kept.

What is known of that factor in forward, the share of each pair in a mean, is multiplied in there and in
place: a second array of gradients costs more than the product. Where the rest of the factor is 1, as it is
when `backward` is called on the loss itself, the gradients leave as they are.

Under `create_graph=True` these numbers are no answer: there the gradients are made anew from the inputs, by a
function that can be differentiated (`second_derivative`).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from warplens.torch.inputs.batches import check_one_answer, is_many_in_one

Solve: TypeAlias = Callable[[Sequence[bool]], tuple[Tensor, Sequence[Tensor | None]]]
"""Which inputs need a gradient -> values (B,), and for each input their gradients (B,...) or None."""
Again: TypeAlias = Callable[[Sequence[Tensor], Tensor, Sequence[bool]], Sequence[Tensor | None]]
"""inputs, factors f (B,), which inputs need a gradient -> those of sum_b f(b) values(b), differentiable."""


def pair_values(
    solve: Solve,
    again: Again,
    batched: Sequence[Tensor],
    shared: Sequence[Tensor],
    shares: Tensor | None = None,
) -> Tensor:
    """Values (B,) of `solve` times `shares`, differentiable in its inputs.

    What needs no gradient costs nothing.

    Args:
        solve: computes values and those gradients that are asked for, in the order batched, shared.
        again: computes the gradients of a sum of values as functions that can be differentiated.
        batched: inputs (B,...), of which each pair has its own slice.
        shared: inputs that all pairs share; their gradient is summed over the pairs.
        shares: (B,) float64 constants, on the device of the values; None: all 1.
    """
    inputs = (*batched, *shared)
    wanted = [torch.is_grad_enabled() and tensor.requires_grad for tensor in inputs]
    if not any(wanted):
        return _shared(solve(wanted)[0], shares)
    values = _ReadyGradient.apply(  # type: ignore[no-untyped-call]
        solve, again, wanted, len(batched), shares, *inputs
    )
    return cast(Tensor, values)


class _ReadyGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        solve: Solve,
        again: Again,
        wanted: list[bool],
        batched: int,
        shares: Tensor | None,
        *inputs: Tensor,
    ) -> Tensor:
        values, gradients = solve(wanted)
        if shares is not None:
            for gradient in gradients:
                if gradient is not None:
                    _times(gradient, _of_pairs(shares, gradient), out=gradient)
        # What is shared may be changed in place before backward, as a schedule of gamma does; it is small.
        kept = [
            tensor if index < batched or yes else tensor.clone()
            for index, (tensor, yes) in enumerate(zip(inputs, wanted, strict=True))
        ]
        ctx.save_for_backward(
            *(
                None if g is None else g.to(tensor.device)
                for g, tensor in zip(gradients, inputs, strict=True)
            ),
            *kept,
        )
        ctx.again, ctx.wanted, ctx.shares = again, wanted, shares
        ctx.batched = batched
        ctx.dtypes = [tensor.dtype for tensor in inputs]
        return _shared(values, shares)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        constants = (None,) * 5
        saved = ctx.saved_tensors  # unpacked once: checkpointing allows no more
        gradients, inputs = saved[: len(ctx.wanted)], saved[len(ctx.wanted) :]
        if torch.is_grad_enabled():
            check_one_answer(upstream)
            return *constants, *ctx.again(inputs, _shared(upstream, ctx.shares), ctx.wanted)
        # What is kept for another backward is not handed out: whoever gets it may change it.
        unscaled = not _is_kept() and _is_all_one(upstream)
        scaled: list[Tensor | None] = []
        for index, (gradient, dtype) in enumerate(zip(gradients, ctx.dtypes, strict=True)):
            if gradient is None:
                scaled.append(None)
                continue
            if index >= ctx.batched:
                factor = upstream.to(device=gradient.device, dtype=gradient.dtype)
                scaled.append(torch.tensordot(factor, gradient, dims=1).to(dtype))
            elif unscaled:
                scaled.append(gradient.to(dtype))
            else:
                scaled.append(_times(gradient, _of_pairs(upstream, gradient)).to(dtype))
        return *constants, *scaled


def _is_all_one(upstream: Tensor) -> bool:
    """False also where that would have to be waited for, or is not one answer."""
    return upstream.device.type == "cpu" and not is_many_in_one(upstream) and bool((upstream == 1).all())


def _is_kept() -> bool:
    """Whether the graph outlives this backward (`retain_graph`); True where torch does not tell."""
    tell = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return tell is None or bool(tell())


def _shared(values: Tensor, shares: Tensor | None) -> Tensor:
    return values if shares is None else values * shares


def _of_pairs(factor: Tensor, gradient: Tensor) -> Tensor:
    """A factor (B,) in the dtype and number of axes of a gradient (B,...)."""
    factor = factor.to(device=gradient.device, dtype=gradient.dtype)
    return factor.view(-1, *[1] * (gradient.ndim - 1))


def _times(gradient: Tensor, factor: Tensor, out: Tensor | None = None) -> Tensor:
    """The product; on the CPU by NumPy, which leaves torch's threads asleep.

    Woken for so small a task, they would spin for milliseconds on the cores that the next forward pass needs.
    """
    if gradient.device.type != "cpu" or is_many_in_one(factor):
        return torch.mul(gradient, factor, out=out)
    product = np.multiply(gradient.numpy(), factor.numpy(), out=None if out is None else out.numpy())
    return torch.from_numpy(product)
