"""The check of the Triton kernels on a device: a few small fixed batches, against the core on the CPU.

Between them the calls launch both kernels in every variant (with and without step probabilities, moments and
visits; N >= M and N < M; float32 and float64) for the shortest block, one warp, and for the longest, whose
lines are cut in two and whose scans join 16 warps. The shorter axis is cut in segments, so that lines are run
forward twice. Blocks between these two are not tried. Padding holds NaN, which must not be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, TypeVar

import torch
from torch import Tensor

from warplens._bands import Band, SakoeChiba
from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.backends.core import CoreBackend
from warplens.torch.backends.costs import cost_matrix
from warplens.torch.backends.protocol import Backend
from warplens.torch.backends.triton.backend import TritonBackend
from warplens.torch.backends.triton.costs import LineLayout
from warplens.torch.backends.triton.plan import Plan
from warplens.torch.inputs.batches import CostMatrices, Pairs, inside
from warplens.torch.inputs.settings import LocalCost, as_local_cost, as_recursion_settings

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-9}
"""Largest difference from the core in float64, as a share of the largest number of a result."""

_FEATURES = 3
_Batch = TypeVar("_Batch", Pairs, CostMatrices)
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """Two pairs padded to N and M frames, and settings."""

    N: int
    M: int
    cost: str
    gamma: float
    step_weights: tuple[float, float, float]
    band: Band | None = None

    def pairs(self, dtype: torch.dtype) -> Pairs:
        """Return a batch on the CPU, with NaN behind the lengths."""
        random = torch.Generator().manual_seed(self.N)
        x, y = (
            torch.rand(2, frames, _FEATURES, dtype=torch.float64, generator=random)
            for frames in (self.N, self.M)
        )
        x = 4.0 * x - 2.0
        x_lengths, y_lengths = torch.tensor([self.N, self.N - 2]), torch.tensor([self.M - 1, self.M])
        x[1, x_lengths[1] :], y[0, y_lengths[0] :] = torch.nan, torch.nan
        return Pairs(x.to(dtype), y.to(dtype), x_lengths, y_lengths, unbatched=False)

    def __str__(self) -> str:
        weights = ", ".join(f"{weight:g}" for weight in self.step_weights)
        band = "" if self.band is None else f", {self.band!r}"
        return f"N = {self.N}, M = {self.M}, {self.cost}, gamma {self.gamma:g}, weights ({weights}){band}"


CASES = (
    Case(21, 4, "mse", 0.5, (1.0, 1.0, 1.0)),
    Case(4, 21, "bce_logits", 0.5, (0.1, 1.0, 1.0)),
    Case(530, 3, "bce_logits", 1.0, (0.1, 1.0, 1.0)),
    Case(3, 530, "mse", 1.0, (1.0, 1.0, 1.0)),
    Case(19, 6, "mse", 0.0, (0.1, 1.0, 1.0), SakoeChiba(3)),
)


class SegmentedTriton(TritonBackend):
    """The kernels over segments of two lines, into which so small batches would not be cut."""

    def plan_of(self, layout: LineLayout) -> Plan:
        """Return the plan of the backend in other segments."""
        sizes = super().plan_of(layout)
        return replace(sizes, segment=min(2, sizes.lines))


def find_fault(device: torch.device, backend: Backend | None = None) -> str | None:
    """Return the first result that differs from the core's, in words; None if there is none.

    Args:
        device: on which the backend runs.
        backend: None is `SegmentedTriton`.

    Raises:
        Exception: The backend does not run; a note says in which case.
    """
    backend = SegmentedTriton() if backend is None else backend
    for case, dtype in product(CASES, TOLERANCES):
        try:
            fault = _fault(case, dtype, device, backend)
        except Exception as error:
            error.add_note(_title(case, dtype))
            raise
        if fault is not None:
            return f"{_title(case, dtype)}: {fault}"
    return None


def _title(case: Case, dtype: torch.dtype) -> str:
    return f"{str(dtype).removeprefix('torch.')}, {case}"


def _fault(case: Case, dtype: torch.dtype, device: torch.device, backend: Backend) -> str | None:
    pairs, tolerance = case.pairs(dtype), TOLERANCES[dtype]
    matrices = _matrices(pairs, _cost(case))
    exact = torch.float64
    expected = _results(CoreBackend(), case, _moved(pairs, CPU, exact), _moved(matrices, CPU, exact))
    results = _results(backend, case, _moved(pairs, device, dtype), _moved(matrices, device, dtype))
    for name, truth in expected.items():
        result = results[name].to(CPU, exact)
        if result.shape != truth.shape:
            return f"{name} has shape {tuple(result.shape)}, not {tuple(truth.shape)}"
        largest = float(truth.abs().max())
        away = float((result - truth).abs().max()) / (largest or 1.0)
        if not away <= tolerance:  # NaN is never within
            return (
                f"{name} differs from the core's by {away:.1e} of its largest number, {largest:.3g}; "
                f"{tolerance:.0e} is allowed"
            )
    return None


def _cost(case: Case) -> LocalCost:
    return as_local_cost(case.cost, None, None, "sum", _FEATURES)


def _matrices(pairs: Pairs, cost: LocalCost) -> CostMatrices:
    """Return the cost matrices, in the dtype of the pairs, with NaN outside of them."""
    assert pairs.x_lengths is not None
    assert pairs.y_lengths is not None
    C = cost_matrix(pairs, cost).to(pairs.x.dtype)
    within = inside(pairs.x, pairs.x_lengths).unsqueeze(2) & inside(pairs.y, pairs.y_lengths).unsqueeze(1)
    return CostMatrices(C.masked_fill(~within, torch.nan), pairs.x_lengths, pairs.y_lengths, unbatched=False)


def _moved(batch: _Batch, device: torch.device, dtype: torch.dtype) -> _Batch:
    """Return a batch on a device, its sequences or matrices in a dtype."""
    moved: dict[str, Any] = {
        field.name: tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
        for field in fields(batch)
        if isinstance(tensor := getattr(batch, field.name), Tensor)
    }
    return replace(batch, **moved)


@torch.no_grad()
def _results(backend: Backend, case: Case, pairs: Pairs, matrices: CostMatrices) -> dict[str, Tensor]:
    """Return by name everything that a backend computes: values, gradients, alignments, modified targets."""
    cost, settings = _cost(case), as_recursion_settings(case.gamma, case.step_weights, case.band)
    results = {"the value without gradients": backend.solve_pairs(pairs, cost, settings, [False] * 4).value}
    for inputs in (2, 4):
        solved = backend.solve_pairs(pairs, cost, settings, [place < inputs for place in range(4)])
        _take(results, solved, ("x", "y", "gamma", "step weights"), f", {inputs} gradients wanted")
    solved = backend.solve_costs(matrices, settings, [True] * 3)
    _take(results, solved, ("C", "gamma", "step weights"), " of cost matrices")
    aligned = backend.results_of_costs(matrices, settings, ("H", "E", "h", "moments"))
    results |= {f"{name} of an alignment": aligned[name] for name in ("value", "H", "E", "h", "entropy")}
    results["y_mod of an alignment"] = backend.results_of_pairs(pairs, cost, settings, ("y_mod",))["y_mod"]
    return results


def _take(results: dict[str, Tensor], solved: Solution, inputs: Sequence[str], call: str) -> None:
    results[f"the value{call}"] = solved.value
    for name, gradient in zip(inputs, solved.gradients, strict=True):
        if gradient is not None:
            results[f"the gradient in {name}{call}"] = gradient
