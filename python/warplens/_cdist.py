"""Values of all pairs of two lists of series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bands import Band
from ._compute import compute
from ._sequences import as_pair, as_sequence
from ._settings import AlignmentSettings
from ._step_weights import UNIT_WEIGHTS
from ._threads import check_threads


def cdist(
    xs: Sequence[ArrayLike],
    ys: Sequence[ArrayLike] | None = None,
    *,
    cost: str = "mse",
    gamma: float = 1.0,
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    band: Band | None = None,
    feature_weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    feature_reduction: str = "sum",
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Return SDTW of every x with every y, (len(xs), len(ys)).

    Args:
        xs: series in the place of the predictions, of any lengths.
        ys: series in the place of the targets; None is xs.
        cost: this and the following as in `align`; callables are not accepted.
        gamma: see `align`.
        step_weights: see `align`.
        band: see `align`.
        feature_weights: see `align`.
        pos_weight: see `align`.
        feature_reduction: see `align`.
        threads: see `align`.

    Returns:
        Values (len(xs), len(ys)) float64.
    """
    settings = AlignmentSettings.of(
        cost=cost,
        gamma=gamma,
        step_weights=step_weights,
        band=band,
        feature_weights=feature_weights,
        pos_weight=pos_weight,
        feature_reduction=feature_reduction,
    )
    if callable(cost):
        raise TypeError("cost: is a callable; cdist takes a named cost")
    # Converted once: the pairs below are views.
    rows = [as_sequence(f"xs[{i}]", x, np.dtype(np.float64)) for i, x in enumerate(xs)]
    others = rows
    if ys is not None:
        others = [as_sequence(f"ys[{j}]", y, np.dtype(np.float64)) for j, y in enumerate(ys)]
    pairs = [
        as_pair(x, y, settings, np.float64, (f"xs[{i}]", f"ys[{j}]"))
        for i, x in enumerate(rows)
        for j, y in enumerate(others)
    ]
    results = compute(
        settings,
        xs=[x for x, _ in pairs],
        ys=[y for _, y in pairs],
        costs=None,
        outputs=[],
        threads=check_threads(threads),
    )
    for result in results:
        if isinstance(result, Exception):
            raise result
    return np.array([result["value"] for result in results], dtype=np.float64).reshape(len(xs), len(others))
