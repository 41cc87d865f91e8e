"""Step weights and their check."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ._numbers import check_unmasked


class StepWeights(NamedTuple):
    """Weights w_s of the three steps into a cell (n,m) of the cost matrix.

    D(n,m) = min_g{ w_h C(n,m) + D(n-1,m), w_v C(n,m) + D(n,m-1), w_d C(n,m) + D(n-1,m-1) }

    Attributes:
        horizontal: w_h, of the step from (n-1,m): the target frame is repeated.
        vertical: w_v, of the step from (n,m-1): the target advances within one prediction frame.
        diagonal: w_d, of the step from (n-1,m-1). The first cell is charged w_d C(1,1).
    """

    horizontal: float = 1.0
    vertical: float = 1.0
    diagonal: float = 1.0


UNIT_WEIGHTS = (1.0, 1.0, 1.0)
"""Every step charges the local cost once."""


def check_step_weights(step_weights: Sequence[float]) -> StepWeights:
    """Check for three finite numbers, none negative, and give them their names."""
    check_unmasked("step_weights", step_weights)
    try:
        values = [float(weight) for weight in step_weights]
    except (TypeError, ValueError):
        raise TypeError(
            f"step_weights: is {step_weights!r}; "
            "StepWeights(horizontal, vertical, diagonal) or three numbers are accepted"
        ) from None
    if len(values) != 3:
        raise ValueError(
            f"step_weights: has {len(values)} entries; three are accepted (horizontal, vertical, diagonal)"
        )
    for name, value in zip(StepWeights._fields, values, strict=True):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"step_weights: {name} is {value}; step weights are finite and not negative")
    return StepWeights(*values)
