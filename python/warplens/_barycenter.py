"""Barycenters of series under soft DTW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._bands import Band
from ._compute import costs_overflow, is_overflow
from ._core import NoPathError
from ._costs import MEAN_COSTS
from ._numbers import as_count, as_number, check_unmasked
from ._sequences import as_sequence, check_range
from ._settings import AlignmentSettings
from ._step_weights import UNIT_WEIGHTS
from ._threads import check_threads

if TYPE_CHECKING:
    from ._core import BarycenterSums


def barycenter(
    xs: Sequence[ArrayLike],
    weights: ArrayLike | None = None,
    *,
    init: ArrayLike | None = None,
    length: int | None = None,
    cost: str = "mse",
    gamma: float = 1.0,
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    band: Band | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
    threads: int | None = None,
) -> NDArray[np.float64]:
    r"""Return the series z that minimises sum_i weights[i] SDTW(z, x_i).

    SDTW is concave in the costs, so at the alignments H_i of the present z its tangent lies above it, and the
    z that minimises the tangent is the mean of the modified targets, weighted by weights[i] h_i(n):

    .. math::
        z(n) \leftarrow \frac{\sum_i \mathrm{weights}_i\, (H_i X_i)(n)}{\sum_i \mathrm{weights}_i\, h_i(n)}

    Each iteration therefore lowers the objective or leaves it.

    Args:
        xs: series (L_i,D) of any lengths.
        weights: one positive number a series; None is 1/len(xs) each. They are normalised to sum 1.
        init: the first z, (N,D); None takes the mean of all series stretched linearly to `length`.
        length: N of the default `init`; None is the rounded weighted mean length.
        cost: "mse", "sqeuclidean", "bce" or "poisson", for which the mean is the minimiser.
        gamma: as in `align`; z is in the place of the predictions.
        step_weights: see `align`.
        band: see `align`.
        max_iterations: an upper bound on the iterations.
        tolerance: stops when an iteration lowers the objective by no more than this share of the mean cost
            sum_i weights[i] <H_i, C_i> of the first alignments, a scale that follows that of the data.
        threads: see `align`.

    Returns:
        z (N,D) float64.
    """
    if cost not in MEAN_COSTS:
        raise ValueError(f"cost: a barycenter takes {', '.join(MEAN_COSTS)}, not {cost!r}")
    if len(xs) == 0:
        raise ValueError("xs: is empty; at least one series is needed")
    settings = AlignmentSettings.of(cost=cost, gamma=gamma, step_weights=step_weights, band=band)
    threads = check_threads(threads)
    max_iterations = as_count("max_iterations", max_iterations)
    tolerance = as_number("tolerance", tolerance)
    series = [as_sequence(f"xs[{i}]", x, np.dtype(np.float64)) for i, x in enumerate(xs)]
    for i, each in enumerate(series):
        if each.shape[1] != series[0].shape[1]:
            raise ValueError(
                f"xs[{i}]: has D = {each.shape[1]}, but xs[0] has {series[0].shape[1]}; all need the same"
            )
        check_range(f"xs[{i}]", each, cost, 1)
    shares = _shares(weights, len(series))
    lowest = np.min([x.min(axis=0) for x in series], axis=0)
    highest = np.max([x.max(axis=0) for x in series], axis=0)
    z: NDArray[np.float64]
    if init is None:
        n = round(float(np.dot(shares, [len(x) for x in series])))
        if length is not None:
            n = as_count("length", length)
        z = np.sum([share * _stretched(x, n) for share, x in zip(shares, series, strict=True)], axis=0)
        z = np.clip(z, lowest, highest)
        check_range("xs (their mean)", z, cost, 0)
    else:
        z = as_sequence("init", init, np.dtype(np.float64))
        if z.shape[1] != series[0].shape[1]:
            raise ValueError(
                f"init: has D = {z.shape[1]}, but xs[0] has {series[0].shape[1]}; both need the same"
            )
        check_range("init", z, cost, 0)
        lowest, highest = np.minimum(lowest, z.min(axis=0)), np.maximum(highest, z.max(axis=0))
    before = size = np.inf
    for _ in range(max_iterations):
        sums = _sums(z, series, shares, settings, wants_expected_cost=before == np.inf, threads=threads)
        objective = sums["objective"]
        if before == np.inf:
            size = sums["expected_cost"]
        elif before - objective <= tolerance * size:
            break
        before = objective
        total, moved = sums["mass"], sums["moved"]
        # A frame on which no cost depends stays where it is.
        np.divide(moved, total[:, None], out=moved, where=total[:, None] > 0)
        # A mean lies within what it is of; rounding must not take it out of the range of the cost.
        z = np.clip(np.where(total[:, None] > 0, moved, z), lowest, highest)
    return z


def _sums(
    z: NDArray[np.float64],
    series: list[NDArray[Any]],
    shares: NDArray[np.float64],
    settings: AlignmentSettings,
    *,
    wants_expected_cost: bool,
    threads: int | None,
) -> BarycenterSums:
    """Align z with all series and sum: of each pair the compiled module keeps nothing."""
    sums = _core.barycenter_sums(
        z,
        series,
        shares,
        **settings.cost_arguments(z.shape[1]),
        **settings.recursion_arguments(),
        wants_expected_cost=wants_expected_cost,
        threads=threads,
    )
    if isinstance(sums, tuple):
        index, error = sums
        if is_overflow(error):
            raise costs_overflow(settings) from error
        if isinstance(error, NoPathError):
            raise ValueError(
                f"band: leaves no path between a barycenter of {len(z)} frames and xs[{index}]: {error}"
            ) from error
        raise error
    if np.isnan(sums["objective"]):
        raise costs_overflow(settings)
    return sums


def _shares(weights: ArrayLike | None, count: int) -> NDArray[np.float64]:
    if weights is None:
        return np.full(count, 1 / count)
    check_unmasked("weights", weights)
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (count,):
        raise ValueError(
            f"weights: has shape {given.shape}; one number for each of {count} series is accepted"
        )
    if not (np.isfinite(given).all() and (given >= 0).all() and given.sum() > 0):
        raise ValueError("weights: finite numbers, none negative and not all 0, are accepted")
    shares: NDArray[np.float64] = given / given.sum()
    return shares


def _stretched(x: NDArray[Any], n: int) -> NDArray[np.float64]:
    at = np.linspace(0, len(x) - 1, n)
    return np.stack([np.interp(at, np.arange(len(x)), column) for column in x.T], axis=1)
