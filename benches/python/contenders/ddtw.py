"""ddtw, by the authors of weighted soft DTW: Numba on the CPU, or a loop over cells in Python (`torch`).

It divides by N and takes the mean of the batch: here nothing is divided, and the mean is multiplied by B.
Step weights go in the order of warplens. It charges the first cell once, where warplens charges it by the
diagonal weight; even given that weight as a penalty of the start, its gradient takes 1 there, so workloads
with another diagonal weight are left out. "MSE" is |x-y|^2 without the half, "BCE" is summed over features;
both are made in (B,N,M,D) entries, BCE in float64.
"""

from functools import partial

import torch
from torch import Tensor

from ..workloads import UNIT, Workload
from .contender import Contender, Result, Task, UnsuitedError
from .peers import BY_PRODUCT, CostMatrix, entries_bytes, matrices_bytes
from .torch_task import TorchTask

MOST_CELLS_IN_PYTHON = 20_000
"""The `torch` backend takes about half a millisecond a cell, so that W1 would take minutes."""

_COSTS = {"sqeuclidean": "MSE", "bce": "BCE"}


class Loss:
    """Sum of ddtw's soft DTW over a batch, with the cost that it ships or one by a matrix product."""

    def __init__(
        self,
        backend: str,
        gamma: float,
        step_weights: tuple[float, float, float],
        shipped: str = "MSE",
        product: CostMatrix | None = None,
    ) -> None:
        from ddtw import SDTW

        self._mean = SDTW(
            cost_function=shipped,
            gamma=gamma,
            step_sizes=[[1, 0], [0, 1], [1, 1]],
            global_step_weights=list(step_weights),
            normalization="none",
            backend=backend,
        )
        self._product = product

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the sum over pairs, (1,)."""
        mean = self._mean(x, y) if self._product is None else self._mean(C=self._product(x, y))
        return len(x) * mean[None]


class _Task(TorchTask):
    """Forward and backward of a loss that sums over the batch; values of the pairs come one by one."""

    def result(self) -> Result:
        """Return the gradients of the last call, and values of the pairs."""
        gradients = super().result().x_grads
        with torch.no_grad():
            values = [self._loss(x[i : i + 1], y[i : i + 1]) for x, y in self._batches for i in range(len(x))]
        return Result(torch.cat(values).double().numpy(), gradients)


def _prepare(backend: str, by_product: bool, workload: Workload) -> Task:
    if not by_product and workload.cost not in _COSTS:
        raise UnsuitedError(f"ships no {workload.cost} cost; see the row with a matrix product")
    if workload.step_weights[2] != 1:
        raise UnsuitedError("charges the first cell once, whatever the diagonal weight")
    if backend == "torch" and workload.cells > MOST_CELLS_IN_PYTHON:
        raise UnsuitedError(f"loops over cells in Python: {workload.cells} cells would take too long")
    loss = Loss(
        backend,
        workload.gamma,
        workload.step_weights,
        _COSTS.get(workload.cost, "MSE"),
        BY_PRODUCT[workload.cost] if by_product else None,
    )
    return _Task(workload, loss)


def ddtw(x: Tensor, y: Tensor, gamma: float, cost: CostMatrix | None) -> Tensor:
    """Call ddtw with unit weights for one pair, as the other peers are called."""
    return Loss("cpu_numba", gamma, UNIT, product=cost)(x, y)


def _contender(name: str, backend: str, by_product: bool) -> Contender:
    return Contender(
        name,
        "ddtw",
        partial(_prepare, backend, by_product),
        solves=lambda workload: workload,
        bytes_needed=matrices_bytes if by_product else _entries,
    )


def _entries(workload: Workload) -> int:
    """Estimate the bytes of (B,N,M,D) entries, which BCE makes in float64."""
    return entries_bytes(workload) * (3 if workload.cost == "bce" else 1)


DDTW = [
    _contender("ddtw", "cpu_numba", by_product=False),
    _contender("ddtw, cost by product", "cpu_numba", by_product=True),
    _contender("ddtw on torch, cost by product", "torch", by_product=True),
]
