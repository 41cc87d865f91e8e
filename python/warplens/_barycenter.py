"""Barycenters of series under soft DTW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._align import align_many
from ._alignment import Alignment
from ._bands import Band
from ._core import NoPathError
from ._costs import MEAN_COSTS
from ._numbers import as_count, as_number
from ._sequences import as_sequence
from ._step_weights import UNIT_WEIGHTS


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
    """Return the series z that minimises sum_i weights[i] SDTW(z, x_i).

    SDTW is concave in the costs, so at the alignments H_i of the present z its tangent lies above it, and the
    z that minimises the tangent is the mean of the modified targets, weighted by weights[i] h_i(n):

        z(n) <- sum_i weights[i] (H_i X_i)(n) / sum_i weights[i] h_i(n)

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
    max_iterations = as_count("max_iterations", max_iterations)
    tolerance = as_number("tolerance", tolerance)
    series = [as_sequence(f"xs[{i}]", x, np.dtype(np.float64)) for i, x in enumerate(xs)]
    for i, each in enumerate(series):
        if each.shape[1] != series[0].shape[1]:
            raise ValueError(
                f"xs[{i}]: has D = {each.shape[1]}, but xs[0] has {series[0].shape[1]}; all need the same"
            )
    shares = _shares(weights, len(series))
    z: NDArray[np.float64]
    if init is None:
        n = round(float(np.dot(shares, [len(x) for x in series])))
        if length is not None:
            n = as_count("length", length)
        z = np.sum([share * _stretched(x, n) for share, x in zip(shares, series, strict=True)], axis=0)
    else:
        z = as_sequence("init", init, np.dtype(np.float64))
        if z.shape[1] != series[0].shape[1]:
            raise ValueError(
                f"init: has D = {z.shape[1]}, but xs[0] has {series[0].shape[1]}; both need the same"
            )
    lowest = np.minimum(np.min([x.min(axis=0) for x in series], axis=0), z.min(axis=0))
    highest = np.maximum(np.max([x.max(axis=0) for x in series], axis=0), z.max(axis=0))
    before = size = np.inf
    for _ in range(max_iterations):
        alignments = _aligned_with_all(
            z, series, cost=cost, gamma=gamma, step_weights=step_weights, band=band, threads=threads
        )
        objective = float(sum(share * each.value for share, each in zip(shares, alignments, strict=True)))
        if before == np.inf:
            size = sum(
                abs(share * _expected_cost(each)) for share, each in zip(shares, alignments, strict=True)
            )
        elif before - objective <= tolerance * size:
            break
        before = objective
        mass = np.stack([share * each.h for share, each in zip(shares, alignments, strict=True)])  # (I,N)
        total = mass.sum(axis=0)
        moved = np.einsum("in,ind->nd", mass, np.stack([each.y_mod for each in alignments]))
        # A frame on which no cost depends stays where it is.
        np.divide(moved, total[:, None], out=moved, where=total[:, None] > 0)
        # A mean lies within what it is of; rounding must not take it out of the range of the cost.
        z = np.clip(np.where(total[:, None] > 0, moved, z), lowest, highest)
    return z


def _aligned_with_all(
    z: NDArray[np.float64], series: Sequence[NDArray[Any]], **settings: Any
) -> list[Alignment]:
    outcomes = align_many([z] * len(series), series, errors="return", **settings)
    alignments = []
    for i, each in enumerate(outcomes):
        if isinstance(each, NoPathError):
            raise ValueError(
                f"band: leaves no path between a barycenter of {len(z)} frames and xs[{i}]: {each}"
            ) from each
        if isinstance(each, Exception):
            raise each
        alignments.append(each)
    return alignments


def _expected_cost(alignment: Alignment) -> float:
    """<H,C> = SDTW + gamma S."""
    return alignment.value + alignment.gamma * alignment.entropy


def _shares(weights: ArrayLike | None, count: int) -> NDArray[np.float64]:
    if weights is None:
        return np.full(count, 1 / count)
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
