"""Pairs and cost matrices through torch operations, on whatever device they are."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from warplens._settings import Band
from warplens.torch.batches import CostMatrices, Pairs
from warplens.torch.costs import cost_matrix
from warplens.torch.masks import allowed_cells, ends
from warplens.torch.ready_gradient import pair_values
from warplens.torch.recursion import Solution
from warplens.torch.recursion import solve as solve_recursion
from warplens.torch.second_derivative import CostsOf, CostSweeps, differentiable_gradient
from warplens.torch.settings import LocalCost, RecursionSettings
from warplens.torch.tangent import Direction
from warplens.torch.tangent import tangent as tangent_of_recursion


def values_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, shares: Tensor | None
) -> Tensor:
    """Soft DTW (B,) float64 of a named cost times `shares`, differentiable in x, y, gamma and weights."""

    def solve(wanted: Sequence[bool]) -> tuple[Tensor, Sequence[Tensor | None]]:
        sequences = (pairs.x, pairs.y)
        inputs = [s.detach().requires_grad_(yes) for s, yes in zip(sequences, wanted, strict=False)]
        with torch.set_grad_enabled(any(wanted[:2])):
            x, y = inputs
            C = cost_matrix(replace(pairs, x=x, y=y), cost)
        matrices = CostMatrices(C, pairs.x_lengths, pairs.y_lengths, pairs.unbatched)
        value, found = solution(matrices, settings, derivatives=any(wanted))
        if found is None:
            return value, [None] * len(wanted)
        asked = [tensor for tensor in inputs if tensor.requires_grad]
        of_sequences = iter(torch.autograd.grad(C, asked, found.H) if asked else ())
        return value, [
            *(next(of_sequences).contiguous() if yes else None for yes in wanted[:2]),
            -found.entropy if wanted[2] else None,
            found.step_weights_grad if wanted[3] else None,
        ]

    again = partial(differentiable_gradient, costs_of_pairs(pairs, cost, settings), sweeps_of(pairs))
    return pair_values(solve, again, (pairs.x, pairs.y), (settings.gamma, settings.step_weights), shares)


def values_of_costs(matrices: CostMatrices, settings: RecursionSettings, shares: Tensor | None) -> Tensor:
    """Soft DTW (B,) float64 of cost matrices times `shares`, differentiable in C, gamma and step weights."""

    def solve(wanted: Sequence[bool]) -> tuple[Tensor, Sequence[Tensor | None]]:
        value, found = solution(matrices, settings, derivatives=any(wanted))
        if found is None:
            return value, [None] * len(wanted)
        gradients = (found.H, -found.entropy, found.step_weights_grad)
        return value, [gradient if yes else None for gradient, yes in zip(gradients, wanted, strict=True)]

    again = partial(differentiable_gradient, costs_alone(matrices, settings), sweeps_of(matrices))
    return pair_values(solve, again, (matrices.C,), (settings.gamma, settings.step_weights), shares)


def results_of_costs(matrices: CostMatrices, settings: RecursionSettings) -> dict[str, Tensor]:
    """`value`, `H`, `E`, `h` and `entropy`, padded with zeros."""
    value, found = solution(matrices, settings, derivatives=True)
    assert found is not None
    return {
        "value": value,
        "H": found.H,
        "E": found.E,
        "h": found.H.sum(dim=2),
        "entropy": found.entropy,
    }


def solution(
    matrices: CostMatrices, settings: RecursionSettings, *, derivatives: bool
) -> tuple[Tensor, Solution | None]:
    """Values (B,), and their derivatives if wanted; no graph is kept of them."""
    with torch.no_grad():
        return solve_recursion(
            _with_forbidden_cells(matrices, settings.band),
            *ends(matrices),
            settings.gamma,
            settings.step_weights,
            derivatives=derivatives,
        )


# What serves second derivatives lives as long as the graph. It must not hold inputs, which autograd frees.


def costs_of_pairs(pairs: Pairs, cost: LocalCost, settings: RecursionSettings) -> CostsOf:
    """How cost matrices with forbidden cells are made of sequences that have the lengths of these."""
    lengths, band = (pairs.x_lengths, pairs.y_lengths, pairs.unbatched), settings.band

    def costs_of(inputs: Sequence[Tensor]) -> Tensor:
        x, y = inputs
        C = cost_matrix(Pairs(x, y, *lengths), cost, twice=True)
        return _with_forbidden_cells(CostMatrices(C, *lengths), band)

    return costs_of


def costs_alone(matrices: CostMatrices, settings: RecursionSettings) -> CostsOf:
    """How forbidden cells come into cost matrices that have the lengths of these."""
    lengths, band = (matrices.x_lengths, matrices.y_lengths, matrices.unbatched), settings.band

    def costs_of(inputs: Sequence[Tensor]) -> Tensor:
        return _with_forbidden_cells(CostMatrices(inputs[0], *lengths), band)

    return costs_of


def sweeps_of(lengths: Pairs | CostMatrices) -> CostSweeps:
    """Sweeps over cost matrices (B,N,M) with forbidden cells, of pairs that have these lengths."""
    x_lengths, y_lengths = lengths.x_lengths, lengths.y_lengths

    def ends_of(C: Tensor) -> tuple[Tensor, Tensor]:
        return ends(CostMatrices(C, x_lengths, y_lengths, unbatched=False))

    def gradient(C: Tensor, gamma: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        _, found = solve_recursion(C, *ends_of(C), gamma, weights, derivatives=True)
        assert found is not None
        return found.H, -found.entropy, found.step_weights_grad

    def tangent(C: Tensor, gamma: Tensor, weights: Tensor, *along: Tensor) -> tuple[Tensor, ...]:
        found = tangent_of_recursion(C, *ends_of(C), gamma, weights, Direction(*along))
        return found.value, found.H, found.gamma_grad, found.step_weights_grad

    return CostSweeps(gradient, tangent)


def _with_forbidden_cells(matrices: CostMatrices, band: Band | None) -> Tensor:
    """C (B,N,M) float64, with +inf where no path may go, cut off from what stood there."""
    C = matrices.C.to(torch.float64)
    allowed = allowed_cells(matrices, band)
    return C if allowed is None else torch.where(allowed, C, torch.inf)
