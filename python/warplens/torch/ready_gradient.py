"""Values whose gradient is ready in the forward pass.

The value of a pair is one number, so its gradient differs from what backward must return only by the upstream
factor of that pair. Both sweeps of the recursion therefore run inside forward, whose large scratch is then
free, and backward scales what was kept.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor

Solve: TypeAlias = Callable[[Sequence[bool]], tuple[Tensor, Sequence[Tensor | None]]]
"""Which inputs need a gradient -> values (B,), and for each input their gradients (B,...) or None."""


def pair_values(solve: Solve, batched: Sequence[Tensor], shared: Sequence[Tensor]) -> Tensor:
    """Values (B,) of `solve`, differentiable in its inputs; what needs no gradient costs nothing.

    Args:
        solve: computes values and those gradients that are asked for, in the order batched, shared.
        batched: inputs (B,...), of which each pair has its own slice.
        shared: inputs that all pairs share; their gradient is summed over the pairs.
    """
    inputs = (*batched, *shared)
    wanted = [torch.is_grad_enabled() and tensor.requires_grad for tensor in inputs]
    if not any(wanted):
        return solve(wanted)[0]
    values = _ReadyGradient.apply(solve, wanted, len(batched), *inputs)  # type: ignore[no-untyped-call]
    return cast(Tensor, values)


class _ReadyGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, solve: Solve, wanted: list[bool], batched: int, *inputs: Tensor) -> Tensor:
        values, gradients = solve(wanted)
        ctx.save_for_backward(
            *(None if g is None else g.to(tensor.device) for g, tensor in zip(gradients, inputs, strict=True))
        )
        ctx.batched = batched
        ctx.dtypes = [tensor.dtype for tensor in inputs]
        return values

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "create_graph=True: the gradient of soft DTW comes from the forward pass as numbers and "
                "cannot be differentiated again; call backward() or autograd.grad() without create_graph"
            )
        scaled: list[Tensor | None] = []
        for index, (gradient, dtype) in enumerate(zip(ctx.saved_tensors, ctx.dtypes, strict=True)):
            if gradient is None:
                scaled.append(None)
                continue
            factor = upstream.to(device=gradient.device, dtype=gradient.dtype)
            if index < ctx.batched:
                scaled.append(_times(gradient, factor.view(-1, *[1] * (gradient.ndim - 1))).to(dtype))
            else:
                scaled.append(torch.tensordot(factor, gradient, dims=1).to(dtype))
        return (None, None, None, *scaled)


def _times(gradient: Tensor, factor: Tensor) -> Tensor:
    """The product; on the CPU by NumPy, which leaves torch's threads asleep.

    Woken for so small a task, they would spin for milliseconds on the cores that the next forward pass needs.
    """
    if gradient.device.type != "cpu":
        return gradient * factor
    return torch.from_numpy(gradient.numpy() * factor.numpy())
