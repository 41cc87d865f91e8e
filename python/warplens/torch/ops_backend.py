"""Cost matrices through torch operations, on whatever device they are."""

from collections.abc import Sequence

import torch
from torch import Tensor

from warplens.torch.batches import CostMatrices
from warplens.torch.masks import allowed_cells, ends
from warplens.torch.ready_gradient import pair_values
from warplens.torch.recursion import solve as solve_recursion
from warplens.torch.settings import RecursionSettings


def values_of_costs(matrices: CostMatrices, settings: RecursionSettings, shares: Tensor | None) -> Tensor:
    """Soft DTW (B,) float64 of cost matrices times `shares`, differentiable in C, gamma and step weights."""
    C = _with_forbidden_cells(matrices, settings)
    x_end, y_end = ends(matrices)

    def solve(wanted: Sequence[bool]) -> tuple[Tensor, Sequence[Tensor | None]]:
        value, solution = solve_recursion(
            C.detach(),
            x_end,
            y_end,
            settings.gamma.detach(),
            settings.step_weights.detach(),
            derivatives=any(wanted),
        )
        if solution is None:
            return value, [None] * len(wanted)
        gradients = (solution.H, -solution.entropy, solution.step_weights_grad)
        return value, [gradient if yes else None for gradient, yes in zip(gradients, wanted, strict=True)]

    return pair_values(solve, (C,), (settings.gamma, settings.step_weights), shares)


def results_of_costs(matrices: CostMatrices, settings: RecursionSettings) -> dict[str, Tensor]:
    """`value`, `H`, `E`, `h` and `entropy`, padded with zeros."""
    value, solution = solve_recursion(
        _with_forbidden_cells(matrices, settings),
        *ends(matrices),
        settings.gamma,
        settings.step_weights,
        derivatives=True,
    )
    assert solution is not None
    return {
        "value": value,
        "H": solution.H,
        "E": solution.E,
        "h": solution.H.sum(dim=2),
        "entropy": solution.entropy,
    }


def _with_forbidden_cells(matrices: CostMatrices, settings: RecursionSettings) -> Tensor:
    """C (B,N,M) float64, with +inf where no path may go, cut off from what stood there."""
    C = matrices.C.to(torch.float64)
    allowed = allowed_cells(matrices, settings.band)
    return C if allowed is None else torch.where(allowed, C, torch.inf)
