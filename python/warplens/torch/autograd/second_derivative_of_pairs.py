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

from warplens.torch.autograd.second_derivative import check_one_by_one, without_derivative_in


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
    gradient: Callable[[Sequence[Tensor], Sequence[bool]], Sequence[Tensor | None]]
    """x, y, gamma, w; which gradients are wanted -> those in x, y, gamma (B,) and w (B,3)."""

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
        if torch.is_grad_enabled():
            at = (*inputs, factors)
            present = [result for result in results if result is not None]
            kinds = tuple(result is not None for result in results)
            linear = iter(
                _AlongDirection.apply(  # type: ignore[no-untyped-call]
                    ctx.sweeps, ctx.wanted, kinds, *at, *present, *of_wanted
                )
            )
            results = list(without_derivative_in(at, [next(linear) if yes else None for yes in kinds]))
        return None, None, *results, *(None,) * len(of_wanted)


class _AlongDirection(torch.autograd.Function):
    """Identity of a Hessian-vector product, as a linear function of the direction.

    Products with vectors (`torch.autograd.functional.hvp`) differentiate in it: its transpose is the Hessian
    again, and for the derivative in the factors the gradient. `kinds` says of which of x, y, gamma, w and the
    factors there are results, `wanted` of which of the first four there are directions.
    """

    @staticmethod
    def forward(
        ctx: Any,
        sweeps: PairSweeps,
        wanted: tuple[bool, ...],
        kinds: tuple[bool, ...],
        *tensors: Tensor | None,
    ) -> tuple[Tensor, ...]:
        ctx.sweeps, ctx.wanted, ctx.kinds, ctx.count = sweeps, wanted, kinds, len(tensors)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors[:5])
        results = tensors[5 : 5 + sum(kinds)]
        return tuple(result.view_as(result) for result in results if result is not None)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        *inputs, factors = ctx.saved_tensors
        given = iter(upstream)
        *along, of_factors = (next(given) if yes else None for yes in ctx.kinds)
        check_one_by_one(*(tensor for tensor in upstream if tensor is not None))
        asked = iter(ctx.needs_input_grad[-sum(ctx.wanted) :])
        needed = [yes and next(asked) for yes in ctx.wanted]
        _, changes = ctx.sweeps.tangent(inputs, along, needed)
        parts = [(changes, factors)]
        if of_factors is not None:
            parts.append((ctx.sweeps.gradient(inputs, needed), of_factors))
        nothing: list[Tensor | None] = [None] * (3 + ctx.count - sum(ctx.wanted))
        directions: list[Tensor | None] = []
        for index, (like, is_wanted) in enumerate(zip(inputs, ctx.wanted, strict=True)):
            terms = [
                _weighted(change, by, like, index < 2)
                for part, by in parts
                if (change := part[index]) is not None
            ]
            if is_wanted:
                directions.append(torch.stack(terms).sum(0) if terms else None)
        return (*nothing, *directions)


def _weighted(change: Tensor, factors: Tensor, like: Tensor, is_batched: bool) -> Tensor:
    """Return changes of pairs times their factors (B,), summed where all pairs share the input."""
    factors = factors.to(change.device, change.dtype)
    if is_batched:
        return (change * factors.view(-1, 1, 1)).to(like)
    total: Tensor = torch.tensordot(factors, change, dims=1)
    return total.to(like)
