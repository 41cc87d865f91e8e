"""Gradients that can be differentiated again, from sequences and without cost matrices.

Under `create_graph=True` the gradient that the forward pass saved is returned as a function of its inputs.
The derivative of that function along a direction is the change of the gradient,

    d<u, grad SDTW> = Hessian u,

which a backend takes from the sequences: one sweep forward and one back with tangents.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from warplens.torch.autograd.second_derivative import check_one_by_one, without_further_derivative


@dataclass(frozen=True)
class PairSweeps:
    """The sweeps of a backend over sequences x (B,N,D), y (B,M,D), with gamma () and step weights (3,).

    It lives as long as the graph, so it must not hold inputs, which autograd frees.
    """

    tangent: Callable[
        [Sequence[Tensor], Sequence[Tensor | None], Sequence[bool]], tuple[Tensor, Sequence[Tensor | None]]
    ]
    """x, y, gamma, w; a direction in each (None: 0); whether the changes of each gradient are wanted.

    Returns the changes of SDTW (B,) and of its gradients in x, y, gamma (B,) and w (B,3).
    """

    def differentiable_gradient(
        self,
        inputs: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        factors: Tensor,
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """Return gradients of sum_b factors(b) SDTW(b) in the wanted inputs, differentiable in all of them.

        Args:
            inputs: x, y, gamma () and step weights (3,).
            gradients: the same gradients without a graph.
            factors: (B,) float64.
            wanted: for each input.
        """
        present = [gradient for gradient in gradients if gradient is not None]
        results = iter(
            _Gradient.apply(self, tuple(wanted), *inputs, factors, *present)  # type: ignore[no-untyped-call]
        )
        return [next(results) if yes else None for yes in wanted]


class _Gradient(torch.autograd.Function):
    """The wanted gradients of sum_b factors(b) SDTW(b), as functions of x, y, gamma, w and factors."""

    @staticmethod
    def forward(
        ctx: Any, sweeps: PairSweeps, wanted: tuple[bool, ...], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.sweeps, ctx.wanted = sweeps, wanted
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors[:5])
        return tuple(gradient.view_as(gradient) for gradient in tensors[5:])

    @staticmethod
    def backward(ctx: Any, *of_wanted: Tensor | None) -> tuple[Tensor | None, ...]:
        *inputs, factors = ctx.saved_tensors
        given = iter(of_wanted)
        direction = [next(given) if yes else None for yes in ctx.wanted]
        check_one_by_one(*(tensor for tensor in direction if tensor is not None))
        needed = ctx.needs_input_grad[2:7]
        with torch.no_grad():
            value, changes = ctx.sweeps.tangent(inputs, direction, needed[:4])
            results = [
                None if change is None else _weighted(change, factors, like, index < 2)
                for index, (change, like) in enumerate(zip(changes, inputs, strict=True))
            ]
            results.append(value.to(factors.device, factors.dtype) if needed[4] else None)
        without = without_further_derivative(results, (*inputs, factors, *direction))
        return None, None, *without, *(None,) * len(of_wanted)


def _weighted(change: Tensor, factors: Tensor, like: Tensor, is_batched: bool) -> Tensor:
    """Return changes of pairs times their factors (B,), summed where all pairs share the input."""
    factors = factors.to(change.device, change.dtype)
    if is_batched:
        return (change * factors.view(-1, 1, 1)).to(like)
    total: Tensor = torch.tensordot(factors, change, dims=1)
    return total.to(like)
