"""Float64 results, and the distance of a float32 result from them."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import warplens as wl

from ..contenders.contender import Result
from ..workloads import Workload

MOST_VALUE_ERROR = 1e-3
MOST_GRADIENT_ERROR = 0.3
"""Beyond these a result is called wrong: such a gradient points elsewhere."""
INEXACT_GRADIENT_ERROR = 1e-2
"""Beyond this it is called inexact."""


@dataclass(frozen=True)
class Distance:
    """Largest |v - v64| / max(1, |v64|); |dX - dX64| / |dX64| over all entries."""

    value: float
    gradient: float | None

    @property
    def is_wrong(self) -> bool:
        """True where this is more than rounding."""
        right = self.value <= MOST_VALUE_ERROR and (self.gradient or 0.0) <= MOST_GRADIENT_ERROR
        return not right  # NaN is wrong

    @property
    def is_inexact(self) -> bool:
        """True where rounding shows in training."""
        return (self.gradient or 0.0) > INEXACT_GRADIENT_ERROR


@cache
def truth(workload: Workload) -> Result:
    """Compute the workload in float64, from the same float32 data."""
    xs, ys = ([side.astype(np.float64) for side in sides] for sides in workload.data)
    settings: dict[str, Any] = {
        "cost": workload.cost,
        "gamma": workload.gamma,
        "step_weights": workload.step_weights,
    }
    if not workload.wants_gradient:
        return Result(np.array([wl.soft_dtw(x, y, **settings) for x, y in zip(xs, ys, strict=True)]), None)
    result = wl.align_many(xs, ys, **settings)
    return Result(np.array([pair.value for pair in result]), [pair.x_grad for pair in result])


def distance(result: Result, expected: Result) -> Distance:
    """Return the distance of a result from another."""
    values = np.abs(result.values - expected.values) / np.maximum(1.0, np.abs(expected.values))
    if result.x_grads is None or expected.x_grads is None:
        return Distance(float(values.max()), None)
    pairs = list(zip(result.x_grads, expected.x_grads, strict=True))
    off = sum(float(np.square(got - exact, dtype=np.float64).sum()) for got, exact in pairs)
    return Distance(
        float(values.max()), (off / sum(float(np.square(exact).sum()) for _, exact in pairs)) ** 0.5
    )
