"""Pairs and cost matrices through Triton kernels, on CUDA devices.

Results are those of the other backends. For costs with modified targets, memory grows with the sequences and
not with the N x M cells. Distances, callables and costs with a prior come as matrices. Second derivatives are
computed by torch operations.

This module needs no Triton, which is imported at the first sweep.
"""

import importlib.util
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.autograd.second_derivative import CostSweeps
from warplens.torch.backends.by_matrices import results_by_matrices
from warplens.torch.backends.ops.backend import OpsBackend
from warplens.torch.backends.protocol import Backend
from warplens.torch.backends.triton.costs import LineLayout, MatrixCosts, SegmentedCosts
from warplens.torch.backends.triton.factors import FactoredCosts
from warplens.torch.backends.triton.plan import plan
from warplens.torch.inputs.batches import CostMatrices, Pairs
from warplens.torch.inputs.settings import LocalCost, RecursionSettings

if TYPE_CHECKING:
    from warplens.torch.backends.triton.sweeps import Sweeps


class TritonBackend(Backend):
    """Triton kernels, one program a pair; bad numbers give NaN or +inf in their pair."""

    name = "triton"
    is_optional = True
    refuses_bad_values = False
    numbers_per_cell = 8

    def check_device(self, device: torch.device) -> None:
        """Raise ValueError unless Triton is there and runs on the device."""
        check_triton(device)

    def takes(self, cost: LocalCost) -> bool:
        """Take costs of inner-product form without a prior."""
        return not cost.needs_matrix and cost.has_modified_targets

    @torch.no_grad()
    def solve_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings, wanted: Sequence[bool]
    ) -> Solution:
        """Return values and gradients without an array of all cells."""
        layout = LineLayout.of(pairs, settings.band)
        costs = FactoredCosts(pairs, cost, layout, x_grad=wanted[0], y_grad=wanted[1])
        value, gamma_grad, step_weights_grad = _swept(_sweeps(costs, layout, settings, pairs.x), wanted)
        return Solution(value, [*costs.gradients(), gamma_grad, step_weights_grad])

    @torch.no_grad()
    def solve_costs(
        self, matrices: CostMatrices, settings: RecursionSettings, wanted: Sequence[bool]
    ) -> Solution:
        """Return values and gradients; that in C has the dtype of C."""
        layout = LineLayout.of(matrices, settings.band)
        costs = MatrixCosts(matrices.C.detach(), layout, keeps_H=wanted[0])
        value, gamma_grad, step_weights_grad = _swept(_sweeps(costs, layout, settings, matrices.C), wanted)
        return Solution(value, [costs.H, gamma_grad, step_weights_grad])

    def results_of_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings, names: Sequence[str]
    ) -> dict[str, Tensor]:
        """Return the results of the cost matrices: alignments are matrices themselves."""
        return results_by_matrices(self, pairs, cost, settings, names)

    def results_of_costs(
        self, matrices: CostMatrices, settings: RecursionSettings, names: Collection[str]
    ) -> dict[str, Tensor]:
        """Return `value`, `entropy` and the named ones of `H`, `E` and `h`, padded with zeros."""
        keeps_H, keeps_E = bool({"H", "h"} & set(names)), "E" in names
        layout = LineLayout.of(matrices, settings.band)
        with torch.no_grad():
            costs = MatrixCosts(matrices.C.detach(), layout, keeps_H=keeps_H, keeps_E=keeps_E)
            sweeps = _sweeps(costs, layout, settings, matrices.C)
            value = sweeps.forward(keep=True)
            gamma_grad, _ = sweeps.backward(moments=True, visits=keeps_E)
        results = {"value": value, "entropy": -gamma_grad}
        if costs.H is not None:
            results |= {"H": costs.H, "h": costs.H.sum(dim=2)}
        if costs.E is not None:
            results["E"] = costs.E
        return results

    def sweeps_of_pairs(self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings) -> CostSweeps:
        """Return the sweeps of torch operations."""
        return OpsBackend().sweeps_of_pairs(pairs, cost, settings)

    def sweeps_of_costs(self, matrices: CostMatrices, settings: RecursionSettings) -> CostSweeps:
        """Return the sweeps of torch operations."""
        return OpsBackend().sweeps_of_costs(matrices, settings)


def check_triton(device: torch.device) -> None:
    """Check that Triton is there and runs on the device; its interpreter runs on the CPU."""
    if importlib.util.find_spec("triton") is None:
        raise ValueError(
            "backend: 'triton' needs the package triton, which comes with torch for CUDA on Linux; "
            "backend='ops' gives the same without it"
        )
    runs_on_device = device.type == "cuda" and torch.version.hip is None
    if not runs_on_device and (device.type != "cpu" or os.environ.get("TRITON_INTERPRET") != "1"):
        raise ValueError(
            f"backend: 'triton' runs on NVIDIA devices, and the tensors are on {device}; move them there, or "
            "leave backend to None"
        )


def _sweeps(costs: SegmentedCosts, layout: LineLayout, settings: RecursionSettings, like: Tensor) -> "Sweeps":
    check_triton(like.device)
    from warplens.torch.backends.triton.sweeps import Sweeps

    sizes = plan(layout.batch, layout.lines, layout.length)
    return Sweeps(costs, layout, settings, sizes, like.dtype, like.device)


def _swept(sweeps: "Sweeps", wanted: Sequence[bool]) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return values, and the wanted gradients in gamma and the step weights."""
    value = sweeps.forward(keep=any(wanted))
    if not any(wanted):
        return value, None, None
    gamma_grad, step_weights_grad = sweeps.backward(moments=any(wanted[-2:]))
    return value, gamma_grad if wanted[-2] else None, step_weights_grad if wanted[-1] else None
