"""Contenders: implementations that compute a workload.

A contender prepares a task; the call of the task is timed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..workloads import Workload


class UnsuitedError(Exception):
    """Error of a contender that cannot compute the workload; the message says why."""


@dataclass(frozen=True)
class Result:
    """Values (B,) and, where wanted, dvalue/dX of each pair."""

    values: NDArray[np.float64]
    x_grads: list[NDArray[np.floating]] | None


class Task(Protocol):
    """A workload prepared for one contender."""

    def call(self) -> None:
        """Compute values and, where wanted, gradients."""

    def result(self) -> Result:
        """Return the result of the last call."""


@dataclass(frozen=True)
class Contender:
    """An implementation and how it is used.

    Args:
        name: the row of the table.
        distribution: the package whose version goes into the record.
        prepare: makes the task; raises `UnsuitedError`.
        solves: the workload as the contender can solve it: without step weights where it has none.
        bytes_needed: a rough estimate, so that nothing is started that the machine cannot hold.
        is_soft_dtw: whether results can be held against the truth; else they only have to be finite.
    """

    name: str
    distribution: str
    prepare: Callable[[Workload], Task]
    solves: Callable[[Workload], Workload] = Workload.with_unit_weights
    bytes_needed: Callable[[Workload], int] = lambda workload: 0
    is_soft_dtw: bool = True
