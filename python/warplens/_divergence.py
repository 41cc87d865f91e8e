"""The soft-DTW divergence of two series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ._align import soft_dtw
from ._bands import Band
from ._costs import SYMMETRIC_COSTS
from ._step_weights import UNIT_WEIGHTS


def divergence(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cost: str = "mse",
    gamma: float = 1.0,
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    band: Band | None = None,
    feature_weights: ArrayLike | None = None,
    feature_reduction: str = "sum",
    threads: int | None = None,
) -> float:
    """Return the soft-DTW divergence SDTW(x,y) - 1/2 SDTW(x,x) - 1/2 SDTW(y,y).

    0 for equal series, and unlike the bare value not driven below 0 by many paths (Blondel, Mensch & Vert,
    AISTATS 2021). Lengths may differ. The cost is one with c(x,y) = c(y,x); arguments as in `align`.
    """
    if cost not in SYMMETRIC_COSTS:
        raise ValueError(
            f"cost: a divergence needs a symmetric cost ({', '.join(SYMMETRIC_COSTS)}), not {cost!r}"
        )

    def value(a: ArrayLike, b: ArrayLike) -> float:
        return soft_dtw(
            a,
            b,
            cost=cost,
            gamma=gamma,
            step_weights=step_weights,
            band=band,
            feature_weights=feature_weights,
            feature_reduction=feature_reduction,
            dtype=np.float64,
            threads=threads,
        )

    return value(x, y) - 0.5 * (value(x, x) + value(y, y))
