"""Pairs and cost matrices through torch operations, on their device."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

import torch
from torch import Tensor

from warplens._bands import Band
from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.autograd.second_derivative import CostSweeps
from warplens.torch.backends.costs import cost_matrix, mapped_targets
from warplens.torch.backends.ops.alignment_lines import AlignmentLines
from warplens.torch.backends.ops.cost_lines import CostLines
from warplens.torch.backends.ops.grid import Grid, grid_of
from warplens.torch.backends.ops.recursion import sweep
from warplens.torch.backends.ops.tangent import Direction, tangent
from warplens.torch.backends.protocol import Backend, solve_by_results
from warplens.torch.inputs.batches import CostMatrices, Pairs
from warplens.torch.inputs.masks import BatchShape, allowed_matrix
from warplens.torch.inputs.settings import LocalCost, RecursionSettings


class OpsBackend(Backend):
    """Torch operations; bad numbers give NaN or +inf in their pair, and nothing waits for the device."""

    name = "ops"
    is_optional = False
    refuses_bad_values = False
    numbers_per_cell = 8

    def check_device(self, device: torch.device) -> None:
        """Accept every device; torch itself refuses float64 where there is none."""

    def takes(self, cost: LocalCost) -> bool:
        """Take the named costs without a prior."""
        return not cost.needs_matrix

    def solve_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings, wanted: Sequence[bool]
    ) -> Solution:
        """Return values and gradients without an array of all cells."""
        lines = CostLines(pairs, cost, wanted[:2])
        receive = lines.receive if any(wanted[:2]) else None
        value, moments = sweep(
            lines.grid(settings.band), settings.gamma, settings.step_weights, receive, moments=any(wanted[2:])
        )
        gradients = [
            *lines.gradients(),
            -moments.entropy if moments and wanted[2] else None,
            moments.step_weights_grad if moments and wanted[3] else None,
        ]
        return Solution(value, gradients)

    def solve_costs(
        self, matrices: CostMatrices, settings: RecursionSettings, wanted: Sequence[bool]
    ) -> Solution:
        """Return values and gradients; that in C is held in the dtype of C alone."""
        results_of = partial(self.results_of_costs, matrices, settings)
        return solve_by_results(results_of, {"H": wanted[0]}, wanted[1:])

    def results_of_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings, names: Collection[str]
    ) -> dict[str, Tensor]:
        """Return `value` and the named ones of H, E, h, y_mod, entropy and moments.

        Of arrays of all cells there are H and E where these are named, and none else.
        """
        grid = CostLines(pairs, cost, (False, False)).grid(settings.band)
        targets = mapped_targets(pairs, cost) if "y_mod" in names else None
        return _results(grid, AlignmentLines(grid, names, pairs.x.dtype, targets), settings, names)

    def results_of_costs(
        self, matrices: CostMatrices, settings: RecursionSettings, names: Collection[str]
    ) -> dict[str, Tensor]:
        """Return `value` and the named ones of H, E, h, entropy and moments.

        Padded with zeros; H and E have the dtype of the inputs, the rest is float64.
        """
        grid = grid_of(matrices.C, BatchShape.of(matrices), settings.band)
        return _results(grid, AlignmentLines(grid, names, matrices.C.dtype), settings, names)

    def sweeps_of_pairs(self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings) -> CostSweeps:
        """Return sweeps over matrices in which forbidden cells are +inf."""
        lengths, band = (pairs.x_lengths, pairs.y_lengths, pairs.unbatched), settings.band

        def costs_of(inputs: Sequence[Tensor]) -> Tensor:
            x, y = inputs
            C = cost_matrix(Pairs(x, y, *lengths), cost, twice=True)
            return _with_forbidden_cells(CostMatrices(C, *lengths), band)

        return self._sweeps(costs_of, *lengths[:2])

    def sweeps_of_costs(self, matrices: CostMatrices, settings: RecursionSettings) -> CostSweeps:
        """Return sweeps over matrices in which forbidden cells are +inf."""
        lengths, band = (matrices.x_lengths, matrices.y_lengths, matrices.unbatched), settings.band

        def costs_of(inputs: Sequence[Tensor]) -> Tensor:
            return _with_forbidden_cells(CostMatrices(inputs[0], *lengths), band)

        return self._sweeps(costs_of, *lengths[:2])

    def _sweeps(
        self,
        costs_of: Callable[[Sequence[Tensor]], Tensor],
        x_lengths: Tensor | None,
        y_lengths: Tensor | None,
    ) -> CostSweeps:
        def matrices_of(C: Tensor) -> CostMatrices:
            return CostMatrices(C, x_lengths, y_lengths, unbatched=False)

        def gradient(C: Tensor, gamma: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            settings = RecursionSettings(gamma, weights, None)
            results = self.results_of_costs(matrices_of(C), settings, ("H", "moments"))
            return results["H"], results["gamma_grad"], results["step_weights_grad"]

        def change(C: Tensor, gamma: Tensor, weights: Tensor, *along: Tensor) -> tuple[Tensor, ...]:
            grid = grid_of(C, BatchShape.of(matrices_of(C)), None)
            changes = tangent(grid, gamma, weights, Direction(*along))
            return changes.value, changes.H, changes.gamma_grad, changes.step_weights_grad

        return CostSweeps(costs_of, gradient, change)


def _results(
    grid: Grid, alignment: AlignmentLines, settings: RecursionSettings, names: Collection[str]
) -> dict[str, Tensor]:
    value, moments = sweep(
        grid,
        settings.gamma,
        settings.step_weights,
        alignment.receive if alignment.is_needed else None,
        moments="moments" in names or "entropy" in names,
    )
    results = {"value": value, **alignment.results()}
    if moments is not None:
        results["entropy"], results["gamma_grad"] = moments.entropy, -moments.entropy
        results["step_weights_grad"] = moments.step_weights_grad
    return results


def _with_forbidden_cells(matrices: CostMatrices, band: Band | None) -> Tensor:
    """Return C (B,N,M) float64, with +inf where no path may go, without gradient to what stood there."""
    allowed = allowed_matrix(BatchShape.of(matrices), band)
    C = matrices.C.to(torch.float64)
    return C if allowed is None else torch.where(allowed, C, torch.inf)
