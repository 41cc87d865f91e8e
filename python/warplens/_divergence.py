"""The soft-DTW divergence of two series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._bands import Band
from ._compute import costs_overflow, is_overflow
from ._costs import SYMMETRIC_COSTS
from ._sequences import as_pair
from ._settings import AlignmentSettings
from ._step_weights import UNIT_WEIGHTS
from ._threads import check_threads


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
    AISTATS 2021). Lengths may differ.

    Args:
        x: a series (N,D) or (N,).
        y: a series (M,D) or (M,).
        cost: one with c(x,y) = c(y,x): "mse", "sqeuclidean", "cosine", "euclidean" or "l1".
        gamma: this and the following as in `align`.
        step_weights: see `align`.
        band: see `align`.
        feature_weights: see `align`.
        feature_reduction: see `align`.
        threads: see `align`.

    Example:
        >>> wl.divergence([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
        0.0
    """
    if cost not in SYMMETRIC_COSTS:
        raise ValueError(
            f"cost: a divergence needs a symmetric cost ({', '.join(SYMMETRIC_COSTS)}), not {cost!r}"
        )
    settings = AlignmentSettings.of(
        cost=cost,
        gamma=gamma,
        step_weights=step_weights,
        band=band,
        feature_weights=feature_weights,
        feature_reduction=feature_reduction,
    )
    x, y = as_pair(x, y, settings, np.float64)
    try:
        result = _core.divergence(
            x,
            y,
            **settings.cost_arguments(x.shape[1]),
            **settings.recursion_arguments(),
            threads=check_threads(threads),
        )
    except _core.NoPathError as error:
        if is_overflow(error):
            raise costs_overflow(settings) from error
        raise
    if np.isnan(result):
        raise costs_overflow(settings)
    return result
