"""Pairs and cost matrices through the compiled core.

The core reads CPU tensors in place and computes exactly what is asked for. Tensors of another device are
copied to the CPU and the results back: the way of devices without float64.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from warplens import _core
from warplens._bands import Band, Itakura
from warplens._core import MOST_THREADS
from warplens._costs import SYMMETRIC_COSTS
from warplens.torch.autograd.saved_gradient import Solution, Solve
from warplens.torch.autograd.second_derivative import CostSweeps
from warplens.torch.autograd.second_derivative_of_pairs import PairSweeps
from warplens.torch.backends.costs import cost_matrix, is_distance
from warplens.torch.backends.protocol import Backend, solve_by_results
from warplens.torch.inputs.batches import CostMatrices, Pairs, widest_dtype
from warplens.torch.inputs.settings import LocalCost, RecursionSettings


class CoreBackend(Backend):
    """The compiled core; it keeps no cell of a named cost."""

    name = "core"
    is_optional = False
    refuses_bad_values = True
    numbers_per_cell = 0

    @property
    def title(self) -> str:
        """The name, and the instruction set that is used."""
        return f"core ({_core.instruction_set()})"

    def check_device(self, device: torch.device) -> None:
        """Accept every device: tensors are copied."""

    def takes(self, cost: LocalCost) -> bool:
        """Take the named costs without a prior."""
        return not cost.needs_matrix

    def solve_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings, wanted: Sequence[bool]
    ) -> Solution:
        """Return values and gradients from one call of the core."""
        results_of = partial(self.results_of_pairs, pairs, cost, settings)
        if not (wanted[0] and wanted[1] and _are_mirrored(pairs, cost, settings)):
            return solve_by_results(results_of, {"x_grad": wanted[0], "y_grad": wanted[1]}, wanted[2:])
        value, (x_grad, *others) = solve_by_results(results_of, {"x_grad": True}, wanted[2:])
        assert x_grad is not None
        return Solution(value, [x_grad, x_grad.clone(), *others])

    def solve_costs(
        self, matrices: CostMatrices, settings: RecursionSettings, wanted: Sequence[bool]
    ) -> Solution:
        """Return values and gradients from one call of the core."""
        results_of = partial(self.results_of_costs, matrices, settings)
        return solve_by_results(results_of, {"H": wanted[0]}, wanted[1:])

    def results_of_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings, names: Sequence[str]
    ) -> dict[str, Tensor]:
        """Return `value` and the named outputs of the core, padded with zeros."""
        results = _core.align_padded(
            as_array(pairs.x),
            as_array(pairs.y),
            outputs=names,
            **_lengths_arguments(pairs.x_lengths, pairs.y_lengths),
            **_cost_arguments(cost),
            **recursion_arguments(settings),
        )
        return as_tensors(results, pairs.x.device)

    def results_of_costs(
        self, matrices: CostMatrices, settings: RecursionSettings, names: Sequence[str]
    ) -> dict[str, Tensor]:
        """Return `value` and the named outputs of the core, padded with zeros."""
        results = _core.costs_padded(
            as_array(matrices.C),
            outputs=names,
            **_lengths_arguments(matrices.x_lengths, matrices.y_lengths),
            **recursion_arguments(settings),
        )
        return as_tensors(results, matrices.C.device)

    def sharp_solver_of_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings
    ) -> Solve | None:
        """Return one call of the core; distances go by cost matrices."""
        if is_distance(cost):
            return None

        def results_of(names: Sequence[str]) -> dict[str, Tensor]:
            results = _core.sharp_padded(
                as_array(pairs.x),
                as_array(pairs.y),
                outputs=names,
                **_lengths_arguments(pairs.x_lengths, pairs.y_lengths),
                **_cost_arguments(cost),
                **recursion_arguments(settings),
            )
            return as_tensors(results, pairs.x.device)

        def solve(wanted: Sequence[bool]) -> Solution:
            return solve_by_results(results_of, {"x_grad": wanted[0], "y_grad": wanted[1]}, wanted[2:])

        return solve

    def sharp_solver_of_costs(self, matrices: CostMatrices, settings: RecursionSettings) -> Solve:
        """Return one call of the core."""

        def results_of(names: Sequence[str]) -> dict[str, Tensor]:
            results = _core.sharp_costs_padded(
                as_array(matrices.C.detach().cpu().to(torch.float64)),
                wants_settings="moments" in names,
                **_lengths_arguments(matrices.x_lengths, matrices.y_lengths),
                **recursion_arguments(settings),
            )
            return as_tensors(results, matrices.C.device)

        def solve(wanted: Sequence[bool]) -> Solution:
            return solve_by_results(results_of, {"C_grad": wanted[0]}, wanted[1:])

        return solve

    def sweeps_of_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings
    ) -> CostSweeps | PairSweeps:
        """Return sweeps over the sequences, or for distances over cost matrices on the CPU."""
        if not is_distance(cost):
            return self._pair_sweeps(cost, pairs.x_lengths, pairs.y_lengths, settings.band)
        lengths = (_as_cpu(pairs.x_lengths), _as_cpu(pairs.y_lengths), pairs.unbatched)

        def costs_of(inputs: Sequence[Tensor]) -> Tensor:
            x, y = (sequences.cpu() for sequences in inputs)
            return cost_matrix(Pairs(x, y, *lengths), cost, twice=True)

        return self._sweeps(costs_of, pairs.x_lengths, pairs.y_lengths, settings.band)

    def sweeps_of_costs(self, matrices: CostMatrices, settings: RecursionSettings) -> CostSweeps:
        """Return sweeps that take cost matrices to the CPU."""

        def costs_of(inputs: Sequence[Tensor]) -> Tensor:
            return inputs[0].cpu().to(torch.float64)

        return self._sweeps(costs_of, matrices.x_lengths, matrices.y_lengths, settings.band)

    def _sweeps(
        self,
        costs_of: Callable[[Sequence[Tensor]], Tensor],
        x_lengths: Tensor | None,
        y_lengths: Tensor | None,
        band: Band | None,
    ) -> CostSweeps:
        def gradient(C: Tensor, gamma: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            matrices = CostMatrices(C, x_lengths, y_lengths, unbatched=False)
            settings = RecursionSettings(gamma, weights, band)
            results = self.results_of_costs(matrices, settings, ["H", "moments"])
            return results["H"], results["gamma_grad"], results["step_weights_grad"]

        def tangent(
            C: Tensor,
            gamma: Tensor,
            weights: Tensor,
            C_along: Tensor,
            gamma_along: Tensor,
            weights_along: Tensor,
        ) -> tuple[Tensor, ...]:
            results = _core.tangent_padded(
                as_array(C),
                as_array(C_along),
                **_lengths_arguments(x_lengths, y_lengths),
                **_direction_arguments(gamma_along, weights_along),
                **recursion_arguments(RecursionSettings(gamma, weights, band)),
            )
            changes = as_tensors(results, C.device)
            return changes["value"], changes["H"], changes["gamma_grad"], changes["step_weights_grad"]

        return CostSweeps(costs_of, gradient, tangent)

    def _pair_sweeps(
        self, cost: LocalCost, x_lengths: Tensor | None, y_lengths: Tensor | None, band: Band | None
    ) -> PairSweeps:
        def tangent(
            inputs: Sequence[Tensor], direction: Sequence[Tensor | None], wanted: Sequence[bool]
        ) -> tuple[Tensor, Sequence[Tensor | None]]:
            x, y, gamma, weights = inputs
            x_along, y_along, gamma_along, weights_along = direction
            names = [name for name, yes in (("x_grad", wanted[0]), ("y_grad", wanted[1])) if yes]
            results = _core.tangent_of_pairs_padded(
                as_array(x),
                as_array(y),
                as_optional_array(x_along),
                as_optional_array(y_along),
                outputs=[*names, *(["moments"] if any(wanted[2:]) else [])],
                **_lengths_arguments(x_lengths, y_lengths),
                **_cost_arguments(cost),
                **_direction_arguments(gamma_along, weights_along),
                **recursion_arguments(RecursionSettings(gamma, weights, band)),
            )
            changes = as_tensors(results, x.device)
            gradients = ("x_grad", "y_grad", "gamma_grad", "step_weights_grad")
            return changes["value"], [
                changes[name] if yes else None for name, yes in zip(gradients, wanted, strict=True)
            ]

        def gradient(inputs: Sequence[Tensor], wanted: Sequence[bool]) -> Sequence[Tensor | None]:
            x, y, gamma, weights = inputs
            pairs = Pairs(x, y, x_lengths, y_lengths, unbatched=False)
            return self.solve_pairs(pairs, cost, RecursionSettings(gamma, weights, band), wanted).gradients

        return PairSweeps(tangent, gradient)


def _lengths_arguments(x_lengths: Tensor | None, y_lengths: Tensor | None) -> dict[str, Any]:
    return {"x_lengths": as_optional_array(x_lengths), "y_lengths": as_optional_array(y_lengths)}


def _cost_arguments(cost: LocalCost) -> dict[str, Any]:
    return {
        "cost": cost.kind,
        "feature_weights": as_optional_array(cost.feature_weights),
        "pos_weight": as_optional_array(cost.pos_weight),
    }


def _direction_arguments(gamma: Tensor | None, step_weights: Tensor | None) -> dict[str, Any]:
    horizontal, vertical, diagonal = (0.0, 0.0, 0.0) if step_weights is None else step_weights.tolist()
    return {
        "gamma_direction": 0.0 if gamma is None else float(gamma),
        "step_weights_direction": (horizontal, vertical, diagonal),
    }


def _are_mirrored(pairs: Pairs, cost: LocalCost, settings: RecursionSettings) -> bool:
    """Return True for sequences with themselves whose gradients in both places are one, by symmetry."""
    if pairs.y is not pairs.x or pairs.y_lengths is not pairs.x_lengths:
        return False
    _, (horizontal, vertical, _) = settings.read()
    # The edges of an Itakura parallelogram are rounded along the rows.
    is_symmetric = horizontal == vertical and not isinstance(settings.band, Itakura)
    return is_symmetric and cost.kind in SYMMETRIC_COSTS


def recursion_arguments(settings: RecursionSettings) -> dict[str, Any]:
    """Return gamma, step weights, band and torch's number of threads as the core takes them."""
    gamma, step_weights = settings.read()
    return {
        "gamma": gamma,
        "step_weights": step_weights,
        "band": None if settings.band is None else settings.band.as_core(),
        "threads": min(torch.get_num_threads(), MOST_THREADS),
    }


def as_array(tensor: Tensor) -> NDArray[Any]:
    """Return a view of the tensor's memory where it is contiguous and on the CPU, a copy elsewhere."""
    array: NDArray[Any] = tensor.contiguous().numpy(force=True)
    return array


def _as_cpu(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.cpu()


def as_optional_array(tensor: Tensor | None) -> NDArray[Any] | None:
    """Return the same of a tensor that there may be."""
    return None if tensor is None else as_array(tensor)


def as_tensors(results: dict[str, NDArray[Any]], device: torch.device) -> dict[str, Tensor]:
    """Return arrays of the core as tensors on a device, in float32 where it has no float64."""
    tensors = {name: torch.from_numpy(array) for name, array in results.items()}
    if device.type == "cpu":
        return tensors
    if widest_dtype(device) == torch.float32:
        tensors = {name: tensor.to(torch.float32) for name, tensor in tensors.items()}
    return {name: tensor.to(device) for name, tensor in tensors.items()}
