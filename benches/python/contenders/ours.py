"""warplens: the PyTorch loss; pairs of different sizes go through `align_many`, with h and Y_mod as well."""

from typing import Any

import numpy as np
import torch

import warplens as wl
from warplens.torch import SoftDTWLoss

from ..workloads import Workload
from .contender import Contender, Result, Task
from .torch_task import TorchTask


class _AlignMany:
    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._results: list[Any] = []

    def call(self) -> None:
        workload = self._workload
        self._results = wl.align_many(
            *workload.data,
            cost=workload.cost,
            gamma=workload.gamma,
            step_weights=workload.step_weights,
            threads=torch.get_num_threads(),
        )

    def result(self) -> Result:
        values = np.array([alignment.value for alignment in self._results])
        return Result(values, [alignment.x_grad for alignment in self._results])


def _prepare(workload: Workload) -> Task:
    if workload.is_ragged:
        return _AlignMany(workload)
    loss = SoftDTWLoss(workload.cost, workload.gamma, workload.step_weights, reduction="none")
    return TorchTask(workload, loss)


def _prepare_numpy(workload: Workload) -> Task:
    return _AlignMany(workload)


OURS = Contender("warplens", "warplens", _prepare, solves=lambda workload: workload)
NUMPY = Contender("warplens, NumPy", "warplens", _prepare_numpy, solves=lambda workload: workload)
"""`align_many` whatever the sizes: the same work without PyTorch, and h and Y_mod with it."""
