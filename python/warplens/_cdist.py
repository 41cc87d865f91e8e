"""Values of all pairs of two lists of series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._bands import Band
from ._compute import costs_overflow, is_overflow
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
        ys: series in the place of the targets; None is xs. Of one list with itself, where cost and step
            weights make SDTW symmetric, one half is computed and the other copied.
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
    # Each series is checked and converted once.
    float64 = np.dtype(np.float64)
    rows = [as_sequence(f"xs[{i}]", x, float64) for i, x in enumerate(xs)]
    is_one_list = ys is None or ys is xs
    columns = rows
    if ys is not None and not is_one_list:
        columns = [as_sequence(f"ys[{j}]", y, float64) for j, y in enumerate(ys)]
    if not rows or not columns:
        return np.zeros((len(rows), len(columns)))
    # Where every x fits the first y and every y the first x, all pairs fit.
    for i, x in enumerate(rows):
        as_pair(x, columns[0], settings, float64, (f"xs[{i}]", "ys[0]"))
    for j, y in enumerate(columns):
        as_pair(rows[0], y, settings, float64, ("xs[0]", f"ys[{j}]"))
    try:
        values = _core.pairwise_values(
            rows,
            None if is_one_list else columns,
            **settings.cost_arguments(rows[0].shape[1]),
            **settings.recursion_arguments(),
            may_be_infinite=False,
            threads=check_threads(threads),
        )
    except _core.NoPathError as error:
        if is_overflow(error):
            raise costs_overflow(settings) from error
        raise
    if np.isnan(values).any():
        raise costs_overflow(settings)
    return values
