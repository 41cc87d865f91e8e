"""Steps of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens._numbers import as_count
from warplens.family.parameters import as_penalty, as_weight

LARGEST_SIZE = 4
"""The greatest size of a step along either axis."""
MOST_STEPS = 64
"""The greatest number of steps."""


class Step(NamedTuple):
    """A step of a path: it arrives at the cell (n,m) from (n-i, m-j) and is charged weight C(n,m) + penalty.

    Attributes:
        n: i, the prediction frames that it advances, 0 to 4.
        m: j, the target frames that it advances, 0 to 4; i and j are not both 0.
        weight: w, finite and not negative: a number, (N,1), (1,M) or (N,M).
        penalty: b, above -inf, in units of the cost; +inf forbids. Shapes as for the weight.
    """

    n: int
    m: int
    weight: ArrayLike = 1.0
    penalty: ArrayLike = 0.0


class CheckedStep(NamedTuple):
    """A step whose weight and penalty are (1,1), (N,1), (1,M) or (N,M)."""

    n: int
    m: int
    weight: NDArray[np.float64]
    penalty: NDArray[np.float64]


def check_sizes(steps: Sequence[Step]) -> list[Step]:
    """Check the number of steps and their sizes; weights and penalties stay as they are."""
    try:
        listed = [Step(*step) for step in steps]
    except TypeError:
        raise TypeError(
            f"steps: is {steps!r}; a sequence of warplens.Step(n, m, weight, penalty) is accepted"
        ) from None
    if not 1 <= len(listed) <= MOST_STEPS:
        raise ValueError(f"steps: has {len(listed)} entries; 1 to {MOST_STEPS} steps are accepted")
    checked = []
    for index, step in enumerate(listed):
        n, m = as_count(f"steps[{index}].n", step.n, least=0), as_count(f"steps[{index}].m", step.m, least=0)
        if max(n, m) > LARGEST_SIZE or n + m == 0:
            raise ValueError(
                f"steps[{index}]: has sizes ({n}, {m}); "
                f"sizes from 0 to {LARGEST_SIZE}, not both 0, are accepted"
            )
        checked.append(step._replace(n=n, m=m))
    return checked


def check_steps(steps: Sequence[Step], shape: tuple[int, int]) -> tuple[CheckedStep, ...]:
    """Check the steps of a model on a grid (N,M)."""
    checked = []
    for index, step in enumerate(check_sizes(steps)):
        weight = as_weight(f"steps[{index}].weight", step.weight, shape)
        penalty = as_penalty(f"steps[{index}].penalty", step.penalty, shape)
        checked.append(CheckedStep(step.n, step.m, weight, penalty))
    return tuple(checked)
