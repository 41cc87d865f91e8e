"""Pairs and cost matrices through Triton kernels, on CUDA devices.

Results are those of the other backends. For costs with modified targets, memory grows with the sequences and
not with the N x M cells. Distances, callables and costs with a prior come as matrices. Second derivatives are
made by torch operations.

This module needs no Triton, which is imported at the first sweep.
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from warplens.torch.autograd.saved_gradient import pair_values
from warplens.torch.autograd.second_derivative import differentiable_gradient
from warplens.torch.backends.ops import backend as ops_backend
from warplens.torch.backends.triton.costs import MatrixCosts, SegmentedCosts, Sides
from warplens.torch.backends.triton.factors import FactoredCosts
from warplens.torch.backends.triton.plan import plan
from warplens.torch.inputs.batches import CostMatrices, Pairs
from warplens.torch.inputs.settings import LocalCost, RecursionSettings, check_triton

if TYPE_CHECKING:
    from warplens.torch.backends.triton.sweeps import Sweeps

Solved = tuple[Tensor, list[Tensor | None]]
"""Values (B,) and the wanted gradients, in the order of the inputs."""


def values_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, shares: Tensor | None
) -> Tensor:
    """Soft DTW (B,) float64 of a named cost times `shares`, differentiable in x, y, gamma and weights."""
    solve = partial(solve_pairs, pairs, cost, settings)
    costs_of, sweeps = ops_backend.costs_of_pairs(pairs, cost, settings), ops_backend.sweeps_of(pairs)
    again = partial(differentiable_gradient, costs_of, sweeps)
    return pair_values(solve, again, (pairs.x, pairs.y), (settings.gamma, settings.step_weights), shares)


def values_of_costs(matrices: CostMatrices, settings: RecursionSettings, shares: Tensor | None) -> Tensor:
    """Soft DTW (B,) float64 of cost matrices times `shares`, differentiable in C, gamma and step weights."""
    solve = partial(solve_costs, matrices, settings)
    costs_of, sweeps = ops_backend.costs_alone(matrices, settings), ops_backend.sweeps_of(matrices)
    again = partial(differentiable_gradient, costs_of, sweeps)
    return pair_values(solve, again, (matrices.C,), (settings.gamma, settings.step_weights), shares)


def results_of_costs(
    matrices: CostMatrices, settings: RecursionSettings, names: Collection[str]
) -> dict[str, Tensor]:
    """`value`, `entropy` and what is named of `H`, `E` and `h`, padded with zeros."""
    keeps_H, keeps_E = bool({"H", "h"} & set(names)), "E" in names
    sides = Sides.of(matrices, settings.band)
    with torch.no_grad():
        costs = MatrixCosts(matrices.C.detach(), sides, keeps_H=keeps_H, keeps_E=keeps_E)
        sweeps = _sweeps(costs, sides, settings, matrices.C)
        value = sweeps.forward(keep=True)
        of_gamma, _ = sweeps.backward(moments=True, visits=keeps_E)
    found = {"value": value, "entropy": -of_gamma}
    if costs.H is not None:
        found |= {"H": costs.H, "h": costs.H.sum(dim=2)}
    if costs.E is not None:
        found["E"] = costs.E
    return found


@torch.no_grad()
def solve_pairs(pairs: Pairs, cost: LocalCost, settings: RecursionSettings, wanted: Sequence[bool]) -> Solved:
    """Values and gradients in x, y, gamma (B,) and step weights (B,3)."""
    sides = Sides.of(pairs, settings.band)
    costs = FactoredCosts(pairs, cost, sides, x_grad=wanted[0], y_grad=wanted[1])
    value, of_gamma, of_weights = _swept(_sweeps(costs, sides, settings, pairs.x), wanted)
    return value, [*costs.gradients(), of_gamma, of_weights]


@torch.no_grad()
def solve_costs(matrices: CostMatrices, settings: RecursionSettings, wanted: Sequence[bool]) -> Solved:
    """Values and gradients in C, gamma (B,) and step weights (B,3)."""
    sides = Sides.of(matrices, settings.band)
    costs = MatrixCosts(matrices.C.detach(), sides, keeps_H=wanted[0])
    value, of_gamma, of_weights = _swept(_sweeps(costs, sides, settings, matrices.C), wanted)
    return value, [costs.H, of_gamma, of_weights]


def _sweeps(costs: SegmentedCosts, sides: Sides, settings: RecursionSettings, like: Tensor) -> "Sweeps":
    check_triton(like.device)
    from warplens.torch.backends.triton.sweeps import Sweeps

    sizes = plan(sides.batch, sides.lines, sides.length)
    return Sweeps(costs, sides, settings, sizes, like.dtype, like.device)


def _swept(sweeps: "Sweeps", wanted: Sequence[bool]) -> tuple[Tensor, Tensor | None, Tensor | None]:
    value = sweeps.forward(keep=any(wanted))
    if not any(wanted):
        return value, None, None
    of_gamma, of_weights = sweeps.backward(moments=any(wanted[-2:]))
    return value, of_gamma if wanted[-2] else None, of_weights if wanted[-1] else None
