"""Pairs and cost matrices through torch operations, on whatever device they are."""

from collections.abc import Collection, Sequence
from functools import partial

import torch
from torch import Tensor

from warplens._bands import Band
from warplens.torch.alignment_lines import AlignmentLines
from warplens.torch.batches import CostMatrices, Pairs
from warplens.torch.cost_lines import CostLines
from warplens.torch.costs import cost_matrix, images_of_targets
from warplens.torch.grid import Grid, grid_of
from warplens.torch.masks import Sides, allowed_matrix
from warplens.torch.ready_gradient import pair_values
from warplens.torch.recursion import solve as solve_recursion
from warplens.torch.second_derivative import CostsOf, CostSweeps, differentiable_gradient
from warplens.torch.settings import LocalCost, RecursionSettings
from warplens.torch.tangent import Direction
from warplens.torch.tangent import tangent as tangent_of_recursion


def values_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, shares: Tensor | None
) -> Tensor:
    """Soft DTW (B,) float64 of a named cost times `shares`, differentiable in x, y, gamma and weights."""
    solve = partial(solve_pairs, pairs, cost, settings)
    again = partial(differentiable_gradient, costs_of_pairs(pairs, cost, settings), sweeps_of(pairs))
    return pair_values(solve, again, (pairs.x, pairs.y), (settings.gamma, settings.step_weights), shares)


def solve_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, wanted: Sequence[bool]
) -> tuple[Tensor, list[Tensor | None]]:
    """Values (B,), and the wanted gradients in x, y, gamma (B,) and step weights (B,3)."""
    lines = CostLines(pairs, cost, wanted[:2])
    receive = lines.receive if any(wanted[:2]) else None
    value, found = solve_recursion(
        lines.grid(settings.band), settings.gamma, settings.step_weights, receive, moments=any(wanted[2:])
    )
    return value, [
        *lines.gradients(),
        -found.entropy if found and wanted[2] else None,
        found.step_weights_grad if found and wanted[3] else None,
    ]


def values_of_costs(matrices: CostMatrices, settings: RecursionSettings, shares: Tensor | None) -> Tensor:
    """Soft DTW (B,) float64 of cost matrices times `shares`, differentiable in C, gamma and step weights."""

    def solve(wanted: Sequence[bool]) -> tuple[Tensor, Sequence[Tensor | None]]:
        names = [name for name, yes in (("H", wanted[0]), ("moments", any(wanted[1:]))) if yes]
        found = results_of_costs(matrices, settings, names)
        gradients = (found.get(name) for name in ("H", "gamma_grad", "step_weights_grad"))
        return found["value"], [g if yes else None for g, yes in zip(gradients, wanted, strict=True)]

    again = partial(differentiable_gradient, costs_alone(matrices, settings), sweeps_of(matrices))
    return pair_values(solve, again, (matrices.C,), (settings.gamma, settings.step_weights), shares)


def results_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, names: Collection[str]
) -> dict[str, Tensor]:
    """`value` and what is named of H, E, h, y_mod and moments, as `results_of_costs` gives them.

    Of arrays of all cells there are H and E where these are named, and none else.
    """
    grid = CostLines(pairs, cost, (False, False)).grid(settings.band)
    images = images_of_targets(pairs, cost) if "y_mod" in names else None
    return _results(grid, AlignmentLines(grid, names, pairs.x.dtype, images), settings, names)


def results_of_costs(
    matrices: CostMatrices, settings: RecursionSettings, names: Collection[str]
) -> dict[str, Tensor]:
    """`value` and what is named of H, E, h and moments (entropy, gamma_grad, step_weights_grad).

    Padded with zeros; H and E have the dtype of the inputs, the rest is float64.
    """
    grid = grid_of(matrices.C, Sides.of(matrices), settings.band)
    return _results(grid, AlignmentLines(grid, names, matrices.C.dtype), settings, names)


def _results(
    grid: Grid, alignment: AlignmentLines, settings: RecursionSettings, names: Collection[str]
) -> dict[str, Tensor]:
    value, moments = solve_recursion(
        grid,
        settings.gamma,
        settings.step_weights,
        alignment.receive if alignment.is_needed else None,
        moments="moments" in names,
    )
    found = {"value": value, **alignment.found()}
    if moments is not None:
        found["entropy"], found["gamma_grad"] = moments.entropy, -moments.entropy
        found["step_weights_grad"] = moments.step_weights_grad
    return found


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

    def matrices_of(C: Tensor) -> CostMatrices:
        return CostMatrices(C, x_lengths, y_lengths, unbatched=False)

    def gradient(C: Tensor, gamma: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        settings = RecursionSettings(gamma, weights, None)
        found = results_of_costs(matrices_of(C), settings, ("H", "moments"))
        return found["H"], found["gamma_grad"], found["step_weights_grad"]

    def tangent(C: Tensor, gamma: Tensor, weights: Tensor, *along: Tensor) -> tuple[Tensor, ...]:
        grid = grid_of(C, Sides.of(matrices_of(C)), None)
        found = tangent_of_recursion(grid, gamma, weights, Direction(*along))
        return found.value, found.H, found.gamma_grad, found.step_weights_grad

    return CostSweeps(gradient, tangent)


def _with_forbidden_cells(matrices: CostMatrices, band: Band | None) -> Tensor:
    """C (B,N,M) float64, with +inf where no path may go, cut off from what stood there."""
    sides = Sides.of(matrices)
    allowed = allowed_matrix(sides, band)
    C = matrices.C.to(torch.float64)
    return C if allowed is None else torch.where(allowed, C, torch.inf)
