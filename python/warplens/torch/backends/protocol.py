"""The interface of a backend: all calls that the loss makes to an implementation."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from warplens.torch.autograd.saved_gradient import Solution, Solve
from warplens.torch.autograd.second_derivative import CostSweeps
from warplens.torch.autograd.second_derivative_of_pairs import PairSweeps
from warplens.torch.inputs.batches import CostMatrices, Pairs
from warplens.torch.inputs.settings import LocalCost, RecursionSettings


class Backend(Protocol):
    """One implementation of soft DTW of padded batches; `warplens.torch.dispatch` has the table of them."""

    name: str
    """Its name in the argument `backend`."""
    is_optional: bool
    """True if it needs a package or a device that may be absent."""
    refuses_bad_values: bool
    """True if it raises for lengths, gamma or step weights out of range; others give +inf or NaN."""
    numbers_per_cell: int
    """Numbers of memory for each cell of a pair, roughly, where costs come from the sequences."""

    @property
    def title(self) -> str:
        """The name, with what it uses on this machine where that depends on the machine."""
        return self.name

    def check_device(self, device: torch.device) -> None:
        """Raise ValueError if it does not run on a device."""

    def takes(self, cost: LocalCost) -> bool:
        """Return True if it computes values from the sequences; other costs come as matrices."""

    def solve_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings, wanted: Sequence[bool]
    ) -> Solution:
        """Return values (B,) and the wanted gradients in x, y, gamma (B,) and step weights (B,3)."""

    def solve_costs(
        self, matrices: CostMatrices, settings: RecursionSettings, wanted: Sequence[bool]
    ) -> Solution:
        """Return values (B,) and the wanted gradients in C, gamma (B,) and step weights (B,3)."""

    def results_of_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings, names: Sequence[str]
    ) -> dict[str, Tensor]:
        """Return `value` and the named ones of H, E, h, y_mod, entropy and moments.

        They are padded with zeros and have no graph. "entropy" is as exact as the sweep for the rest gives
        it; "moments" stands for `entropy`, `gamma_grad` and `step_weights_grad`, or at least the first.
        """

    def results_of_costs(
        self, matrices: CostMatrices, settings: RecursionSettings, names: Sequence[str]
    ) -> dict[str, Tensor]:
        """Return the same of cost matrices, which have no y_mod."""

    def sweeps_of_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings
    ) -> CostSweeps | PairSweeps:
        """Return the sweeps for second derivatives of sequences with the lengths of these."""

    def sweeps_of_costs(self, matrices: CostMatrices, settings: RecursionSettings) -> CostSweeps:
        """Return the sweeps for second derivatives of cost matrices with the lengths of these."""

    def sharp_solver_of_pairs(
        self, pairs: Pairs, cost: LocalCost, settings: RecursionSettings
    ) -> Solve | None:
        """Return what computes <H,C> (B,) and its gradients; None: second derivatives of SDTW give them."""
        return None

    def sharp_solver_of_costs(self, matrices: CostMatrices, settings: RecursionSettings) -> Solve | None:
        """Return the same for cost matrices."""
        return None


def solve_by_results(
    results_of: Callable[[Sequence[str]], dict[str, Tensor]], inputs: dict[str, bool], shared: Sequence[bool]
) -> Solution:
    """Return values and gradients from a function that returns results by name.

    Args:
        results_of: names -> results.
        inputs: names of the gradients in inputs of which each pair has its own slice, and whether they are
            wanted.
        shared: whether the gradients in gamma and in the step weights are wanted.
    """
    names = [name for name, yes in inputs.items() if yes]
    results = results_of([*names, *(["moments"] if any(shared) else [])])
    wanted = {**inputs, **dict(zip(("gamma_grad", "step_weights_grad"), shared, strict=True))}
    return Solution(results["value"], [results[name] if yes else None for name, yes in wanted.items()])
