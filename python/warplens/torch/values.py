"""From a checked batch to one number a pair: soft DTW, its sharp value, its divergence.

A cost that the backend takes is computed from the sequences, every other one by way of cost matrices. A step
that is compiled or transformed goes through the operators.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from warplens.torch import library_operators
from warplens.torch.autograd.saved_gradient import pair_values, reduced
from warplens.torch.autograd.second_derivative import without_derivative_in
from warplens.torch.backends.by_matrices import results_by_matrices
from warplens.torch.backends.costs import cost_matrices
from warplens.torch.backends.protocol import Backend
from warplens.torch.inputs.batches import CostMatrices, Pairs, widest_dtype
from warplens.torch.inputs.masks import BatchShape, allowed_matrix
from warplens.torch.inputs.settings import LocalCost, RecursionSettings

Values: TypeAlias = Callable[[Pairs, LocalCost, RecursionSettings, Tensor | None, Backend], Tensor]
"""pairs, cost, settings, pair_scale, backend -> (B,) float64, times the pair_scale (B,)."""


def values_of_pairs(
    pairs: Pairs,
    cost: LocalCost,
    settings: RecursionSettings,
    pair_scale: Tensor | None,
    backend: Backend,
    total: torch.dtype | None = None,
) -> Tensor:
    """Return SDTW (B,) float64 times `pair_scale`, differentiable in x, y, gamma and step weights.

    With `total`, the sum () of all in this dtype.
    """
    if not backend.takes(cost):
        return values_of_costs(cost_matrices(pairs, cost), settings, pair_scale, backend, total)
    if library_operators.is_needed():
        values = library_operators.values_of_pairs(pairs, cost, settings, pair_scale, backend)
        return reduced(values, total)
    solve = partial(backend.solve_pairs, pairs, cost, settings)
    sweeps = backend.sweeps_of_pairs(pairs, cost, settings)
    shared = (settings.gamma, settings.step_weights)
    batched = (pairs.x, pairs.y)
    return pair_values(
        solve, sweeps.differentiable_gradient, batched, shared, pair_scale, total, settings.numbers
    )


def values_of_costs(
    matrices: CostMatrices,
    settings: RecursionSettings,
    pair_scale: Tensor | None,
    backend: Backend,
    total: torch.dtype | None = None,
) -> Tensor:
    """Return SDTW (B,) float64 of cost matrices times `pair_scale`, differentiable in C, gamma, weights.

    With `total`, the sum () of all in this dtype.
    """
    if library_operators.is_needed():
        values = library_operators.values_of_costs(matrices, settings, pair_scale, backend)
        return reduced(values, total)
    solve = partial(backend.solve_costs, matrices, settings)
    sweeps = backend.sweeps_of_costs(matrices, settings)
    shared = (settings.gamma, settings.step_weights)
    batched = (matrices.C,)
    return pair_values(
        solve, sweeps.differentiable_gradient, batched, shared, pair_scale, total, settings.numbers
    )


def sharp_values_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, pair_scale: Tensor | None, backend: Backend
) -> Tensor:
    """Return <H,C> (B,) float64 times `pair_scale`; +inf where there is no path."""
    shared = (settings.gamma, settings.step_weights)
    is_differentiated = _are_differentiated(pairs.x, pairs.y, *shared)
    if cost.needs_matrix:
        return sharp_values_of_costs(cost_matrices(pairs, cost), settings, pair_scale, backend)
    if is_differentiated:
        solve = backend.sharp_solver_of_pairs(pairs, cost, settings)
        if solve is None:
            return sharp_values_of_costs(cost_matrices(pairs, cost), settings, pair_scale, backend)
        return pair_values(solve, _differentiable_once, (pairs.x, pairs.y), shared, pair_scale)
    results = results_of_pairs(pairs, cost, settings, ["entropy"], backend)
    return _scaled_mean_costs(results, settings, pair_scale)


def sharp_values_of_costs(
    matrices: CostMatrices, settings: RecursionSettings, pair_scale: Tensor | None, backend: Backend
) -> Tensor:
    """Return <H,C> (B,) float64 of cost matrices times `pair_scale`; +inf where there is no path."""
    if not _are_differentiated(matrices.C, settings.gamma, settings.step_weights):
        results = backend.results_of_costs(matrices, settings, ["entropy"])
        return _scaled_mean_costs(results, settings, pair_scale)
    if (solve := backend.sharp_solver_of_costs(matrices, settings)) is not None:
        shared = (settings.gamma, settings.step_weights)
        return pair_values(solve, _differentiable_once, (matrices.C,), shared, pair_scale)
    C = _widened(matrices.C)
    C = C if C.requires_grad else C.detach().requires_grad_()
    values = values_of_costs(replace(matrices, C=C), settings, None, backend)
    (H,) = torch.autograd.grad(values.sum(), C, create_graph=True)
    within = allowed_matrix(BatchShape.of(matrices), None)
    read = C != torch.inf if within is None else within & (C != torch.inf)
    sharp = (H * torch.where(read, C, 0.0)).sum(dim=(1, 2))
    sharp = torch.where(values == torch.inf, torch.inf, sharp)
    return sharp if pair_scale is None else sharp * pair_scale


def _differentiable_once(
    inputs: Sequence[Tensor], gradients: Sequence[Tensor | None], factors: Tensor, wanted: Sequence[bool]
) -> Sequence[Tensor | None]:
    """Return the gradients as functions of the inputs whose derivative is an error."""
    return without_derivative_in((*inputs, factors), gradients)


def divergence_of_pairs(values: Values) -> Values:
    """Return the function S(x,y) - 1/2 S(x,x) - 1/2 S(y,y), S being `values`."""

    def divergence(
        pairs: Pairs,
        cost: LocalCost,
        settings: RecursionSettings,
        pair_scale: Tensor | None,
        backend: Backend,
    ) -> Tensor:
        # A small difference of large numbers.
        pairs = replace(pairs, x=_widened(pairs.x), y=_widened(pairs.y))
        of_x = replace(pairs, y=pairs.x, y_lengths=pairs.x_lengths)
        of_y = replace(pairs, x=pairs.y, x_lengths=pairs.y_lengths)
        both, x, y = (values(each, cost, settings, pair_scale, backend) for each in (pairs, of_x, of_y))
        return both - 0.5 * (x + y)

    return divergence


def results_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, names: Sequence[str], backend: Backend
) -> dict[str, Tensor]:
    """Return `value` and the named ones of h, y_mod, H, E, entropy and moments, without a graph."""
    if backend.takes(cost):
        return backend.results_of_pairs(pairs, cost, settings, names)
    return results_by_matrices(backend, pairs, cost, settings, names)


def mean_costs(results: dict[str, Tensor], settings: RecursionSettings) -> Tensor:
    """Return <H,C> = SDTW + gamma S (B,) of results with entropy: SDTW is homogeneous in C and gamma."""
    value = results["value"]
    return value + settings.gamma.detach().to(value.device) * results["entropy"]


def _are_differentiated(*inputs: Tensor) -> bool:
    if library_operators.is_needed():
        raise RuntimeError("sharp=True: is not for torch.compile and torch.func; call it outside of them")
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)


def _widened(tensor: Tensor) -> Tensor:
    """Return the tensor in float64 where its device has it."""
    widest = widest_dtype(tensor.device)
    return tensor.to(widest) if widest == torch.float64 else tensor


def _scaled_mean_costs(
    results: dict[str, Tensor], settings: RecursionSettings, pair_scale: Tensor | None
) -> Tensor:
    sharp = mean_costs(results, settings)
    return sharp if pair_scale is None else sharp * pair_scale
