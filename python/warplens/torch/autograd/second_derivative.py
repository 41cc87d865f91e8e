"""Gradients that can be differentiated again.

Under `create_graph=True` the gradient of soft DTW is needed as a function of its inputs. It is recomputed, in
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
from typing import Any

import torch
from torch import Tensor

from warplens.torch.inputs.torch_private import stands_for_many


@dataclass(frozen=True)
class CostSweeps:
    """The sweeps of a backend over cost matrices C (B,N,M) float64, with gamma () and step weights (3,).

    It lives as long as the graph, so it must not hold inputs, which autograd frees.
    """

    costs_of: Callable[[Sequence[Tensor]], Tensor]
    """Batched inputs -> C, +inf forbidding a cell, by operations that are differentiable twice."""
    gradient: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
    """C, gamma, w -> H (B,N,M), dSDTW/dgamma (B,), dSDTW/dw (B,3)."""
    tangent: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, ...]]
    """C, gamma, w and a direction in each -> changes of SDTW (B,) and of the results of `gradient`."""


def differentiable_gradient(
    sweeps: CostSweeps, inputs: Sequence[Tensor], factors: Tensor, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return gradients of sum_b factors(b) SDTW(b) in the wanted inputs, differentiable in all of them.

    Args:
        sweeps: of the backend.
        inputs: the batched ones (B,...), of which each pair has its own slice; then gamma () and the step
            weights (3,), float64.
        factors: (B,) float64.
        wanted: for each input.
    """
    *batched, gamma, step_weights = inputs
    # Views: the way from C ends at them, also where one input was computed from another, or is the other.
    batched = [tensor.view_as(tensor) for tensor in batched]
    C = sweeps.costs_of(batched)
    C_grad, gamma_grad, step_weights_grad = _Gradient.apply(  # type: ignore[no-untyped-call]
        sweeps, C, gamma, step_weights, factors.to(C.device)
    )
    asked = [tensor for tensor, yes in zip(batched, wanted, strict=False) if yes]
    gradients = iter(torch.autograd.grad(C, asked, C_grad, create_graph=True) if asked else ())
    return [
        *(next(gradients) if yes else None for yes in wanted[:-2]),
        gamma_grad if wanted[-2] else None,
        step_weights_grad if wanted[-1] else None,
    ]


def check_one_by_one(*upstream: Tensor) -> None:
    """Check that second derivatives are asked for one by one.

    Raises:
        RuntimeError: `is_grads_batched` asks for many at once, whose graph torch would lose.
    """
    if any(stands_for_many(tensor) for tensor in upstream):
        raise RuntimeError(
            "soft DTW: with is_grads_batched=True (vectorize=True) there are first derivatives only; for "
            "second ones call torch.autograd.grad(..., create_graph=True) for one after the other"
        )


class _Gradient(torch.autograd.Function):
    """(C, gamma, w, factors) -> the gradient of sum_b factors(b) SDTW(b) in C, gamma and w."""

    @staticmethod
    def forward(
        ctx: Any, sweeps: CostSweeps, C: Tensor, gamma: Tensor, weights: Tensor, factors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.sweeps = sweeps
        ctx.save_for_backward(C, gamma, weights, factors)
        return _sum_over_pairs(factors, sweeps.gradient(C, gamma, weights), gamma, weights)

    @staticmethod
    def backward(ctx: Any, *direction: Tensor) -> tuple[Tensor | None, ...]:
        C, gamma, weights, factors = ctx.saved_tensors
        check_one_by_one(*direction)
        with torch.no_grad():
            value, *changes = ctx.sweeps.tangent(C, gamma, weights, *direction)
            results = (*_sum_over_pairs(factors, changes, gamma, weights), value)
        if torch.is_grad_enabled():
            at = (C, gamma, weights, factors)
            results = _AlongDirection.apply(ctx.sweeps, *at, *results, *direction)  # type: ignore[no-untyped-call]
            # A node of its own, which only a derivative in the inputs themselves comes to.
            nothing = _NoThirdDerivative.apply(*at)  # type: ignore[no-untyped-call]
            results = tuple(result + nothing.to(result.device) for result in results)
        return None, *results


class _AlongDirection(torch.autograd.Function):
    """Identity of a Hessian-vector product, as a linear function of the direction.

    Products with vectors (`torch.autograd.functional.hvp`) differentiate in it: its transpose is the Hessian
    again, and for the derivative in the factors the gradient.
    """

    @staticmethod
    def forward(ctx: Any, sweeps: CostSweeps, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.sweeps = sweeps
        ctx.save_for_backward(*tensors[:4])
        return tuple(tensor.view_as(tensor) for tensor in tensors[4:8])

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        C, gamma, weights, factors = ctx.saved_tensors
        check_one_by_one(*upstream)
        *along, of_factors = upstream
        _, *changes = ctx.sweeps.tangent(C, gamma, weights, *along)
        by_hessian = _sum_over_pairs(factors, changes, gamma, weights)
        by_gradient = _sum_over_pairs(of_factors, ctx.sweeps.gradient(C, gamma, weights), gamma, weights)
        direction = [one + other for one, other in zip(by_hessian, by_gradient, strict=True)]
        return (None,) * 9 + tuple(direction)


class _NoThirdDerivative(torch.autograd.Function):
    """0, as a function of tensors whose backward raises."""

    @staticmethod
    def forward(ctx: Any, C: Tensor, *tensors: Tensor) -> Tensor:
        return C.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> None:
        raise RuntimeError(
            "soft DTW: third derivatives are not computed, and second ones of sharp=True would need them; "
            "differentiate once less, the last time without create_graph=True"
        )


def _sum_over_pairs(
    factors: Tensor, gradients: Sequence[Tensor], gamma: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Multiply gradients of each pair by its factor, and sum those of inputs that the pairs share."""
    C_grad, gamma_grad, step_weights_grad = gradients
    return (
        C_grad * factors.view(-1, 1, 1),
        (factors @ gamma_grad).to(gamma.device),
        (factors @ step_weights_grad).to(weights.device),
    )
