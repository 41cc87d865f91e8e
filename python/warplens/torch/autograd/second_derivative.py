"""Gradients that can be differentiated again.

Under `create_graph=True` the gradient of soft DTW is needed as a function of its inputs. It is made anew, in
float64 and by way of the cost matrices:

    x, y  ->  C = c(x_n, y_m)  ->  H(C, gamma, w) = dSDTW/dC  ->  dSDTW/dx = sum_m H dC/dx

On every backend it holds C and H (B,N,M), also where first derivatives do without.

The outer steps are torch operations, which autograd differentiates as often as it likes. The step in the
middle is a function of its own here, whose derivative along a direction u is the Hessian-vector product of
soft DTW: one sweep forward and one back with tangents.

    d<u, grad SDTW> = Hessian u,   the change of (H, dSDTW/dgamma, dSDTW/dw) along u
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from warplens.torch.inputs.batches import check_one_answer

CostsOf: TypeAlias = Callable[[Sequence[Tensor]], Tensor]
"""inputs (B,...) -> C (B,N,M) float64, +inf forbidding a cell, by operations differentiable twice"""


@dataclass(frozen=True)
class CostSweeps:
    """The sweeps of a backend over cost matrices C (B,N,M) float64, with gamma () and step weights (3,)."""

    gradient: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
    """C, gamma, w -> H (B,N,M), dSDTW/dgamma (B,), dSDTW/dw (B,3)."""
    tangent: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, ...]]
    """The same and a direction in C, gamma, w -> changes of SDTW (B,) and of what `gradient` gives."""


def differentiable_gradient(
    costs_of: CostsOf,
    sweeps: CostSweeps,
    inputs: Sequence[Tensor],
    factors: Tensor,
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """Gradients of sum_b factors(b) SDTW(b) in the wanted inputs, differentiable in all of them.

    Args:
        costs_of: makes C from the batched inputs.
        sweeps: of the backend.
        inputs: the batched ones (B,...), of which each pair has its own slice; then gamma () and the step
            weights (3,), float64.
        factors: (B,) float64.
        wanted: for each input.
    """
    *batched, gamma, step_weights = inputs
    # Views: the way from C ends at them, also where one input was computed from another, or is the other.
    batched = [tensor.view_as(tensor) for tensor in batched]
    C = costs_of(batched)
    of_C, of_gamma, of_weights = _Gradient.apply(  # type: ignore[no-untyped-call]
        sweeps, C, gamma, step_weights, factors.to(C.device)
    )
    asked = [tensor for tensor, yes in zip(batched, wanted, strict=False) if yes]
    found = iter(torch.autograd.grad(C, asked, of_C, create_graph=True) if asked else ())
    return [
        *(next(found) if yes else None for yes in wanted[:-2]),
        of_gamma if wanted[-2] else None,
        of_weights if wanted[-1] else None,
    ]


class _Gradient(torch.autograd.Function):
    """(C, gamma, w, factors) -> the gradient of sum_b factors(b) SDTW(b) in C, gamma and w."""

    @staticmethod
    def forward(
        ctx: Any, sweeps: CostSweeps, C: Tensor, gamma: Tensor, weights: Tensor, factors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.sweeps = sweeps
        ctx.save_for_backward(C, gamma, weights, factors)
        return _times(factors, sweeps.gradient(C, gamma, weights), gamma, weights)

    @staticmethod
    def backward(ctx: Any, *direction: Tensor) -> tuple[Tensor | None, ...]:
        C, gamma, weights, factors = ctx.saved_tensors
        check_one_answer(*direction)
        with torch.no_grad():
            value, *changes = ctx.sweeps.tangent(C, gamma, weights, *direction)
            found = (*_times(factors, changes, gamma, weights), value)
        if torch.is_grad_enabled():
            inputs = (C, gamma, weights, factors, *direction)
            found = _Last.apply(len(found), *found, *inputs)  # type: ignore[no-untyped-call]
        return None, *found


class _Last(torch.autograd.Function):
    """The first tensors, as functions of the rest that cannot be differentiated."""

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensor.view_as(tensor) for tensor in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> None:
        raise RuntimeError(
            "soft DTW: third derivatives are not computed, and second ones of sharp=True would need them; "
            "differentiate once less, the last time without create_graph=True"
        )


def _times(
    factors: Tensor, gradients: Sequence[Tensor], gamma: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of each pair, times its factor; summed over the pairs where these share an input."""
    of_C, of_gamma, of_weights = gradients
    return (
        of_C * factors.view(-1, 1, 1),
        (factors @ of_gamma).to(gamma.device),
        (factors @ of_weights).to(weights.device),
    )
