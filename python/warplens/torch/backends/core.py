"""Pairs and cost matrices through the compiled core.

The core reads CPU tensors in place and computes exactly what is asked for. Tensors of another device are
copied to the CPU and the results back: the way of devices without float64.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warplens import _core
from warplens._bands import Band
from warplens._core import MOST_THREADS
from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.autograd.second_derivative import CostSweeps
from warplens.torch.backends.costs import cost_matrix
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
        return solve_by_results(results_of, {"x_grad": wanted[0], "y_grad": wanted[1]}, wanted[2:])

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
        assert isinstance(cost.kind, str)
        results = _core.align_padded(
            _as_array(pairs.x),
            _as_array(pairs.y),
            x_lengths=_as_optional_array(pairs.x_lengths),
            y_lengths=_as_optional_array(pairs.y_lengths),
            cost=cost.kind,
            feature_weights=_as_optional_array(cost.feature_weights),
            pos_weight=_as_optional_array(cost.pos_weight),
            outputs=names,
            **_recursion_arguments(settings),
        )
        return _as_tensors(results, pairs.x.device)

    def results_of_costs(
        self, matrices: CostMatrices, settings: RecursionSettings, names: Sequence[str]
    ) -> dict[str, Tensor]:
        """Return `value` and the named outputs of the core, padded with zeros."""
        results = _core.costs_padded(
            _as_array(matrices.C),
            x_lengths=_as_optional_array(matrices.x_lengths),
            y_lengths=_as_optional_array(matrices.y_lengths),
            outputs=names,
            **_recursion_arguments(settings),
        )
        return _as_tensors(results, matrices.C.device)

    def sweeps_of_pairs(self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings) -> CostSweeps:
        """Return sweeps that make cost matrices on the CPU."""
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
            horizontal, vertical, diagonal = weights_along.tolist()
            results = _core.tangent_padded(
                _as_array(C),
                _as_array(C_along),
                x_lengths=_as_optional_array(x_lengths),
                y_lengths=_as_optional_array(y_lengths),
                gamma_direction=float(gamma_along),
                step_weights_direction=(horizontal, vertical, diagonal),
                **_recursion_arguments(RecursionSettings(gamma, weights, band)),
            )
            changes = _as_tensors(results, C.device)
            return changes["value"], changes["H"], changes["gamma_grad"], changes["step_weights_grad"]

        return CostSweeps(costs_of, gradient, tangent)


def _recursion_arguments(settings: RecursionSettings) -> dict[str, Any]:
    horizontal, vertical, diagonal = settings.step_weights.tolist()
    return {
        "gamma": float(settings.gamma.detach()),
        "step_weights": (horizontal, vertical, diagonal),
        "band": None if settings.band is None else settings.band.as_core(),
        "threads": min(torch.get_num_threads(), MOST_THREADS),
    }


def _as_array(tensor: Tensor) -> NDArray[Any]:
    """Return a view of the tensor's memory where it is contiguous and on the CPU, a copy elsewhere."""
    return np.asarray(tensor.detach().cpu().contiguous().numpy())


def _as_cpu(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.cpu()


def _as_optional_array(tensor: Tensor | None) -> NDArray[Any] | None:
    return None if tensor is None else _as_array(tensor)


def _as_tensors(results: dict[str, NDArray[Any]], device: torch.device) -> dict[str, Tensor]:
    tensors = {name: torch.from_numpy(array) for name, array in results.items()}
    if widest_dtype(device) == torch.float32:
        tensors = {name: tensor.to(torch.float32) for name, tensor in tensors.items()}
    return {name: tensor.to(device) for name, tensor in tensors.items()}
