"""What follows from soft DTW: a divergence, a matrix of pairwise values, a barycenter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._align import _UNIT, align_many, check_threads, soft_dtw
from ._alignment import Alignment, compute
from ._core import NoPathError
from ._numbers import as_count, as_number
from ._sequences import as_pair, as_sequence
from ._settings import MEAN_COSTS, SYMMETRIC_COSTS, Band, Settings


def divergence(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cost: str = "mse",
    gamma: float = 1.0,
    step_weights: Sequence[float] = _UNIT,
    band: Band | None = None,
    feature_weights: ArrayLike | None = None,
    feature_reduction: str = "sum",
    threads: int | None = None,
) -> float:
    """The soft-DTW divergence SDTW(x,y) - 1/2 SDTW(x,x) - 1/2 SDTW(y,y).

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


def cdist(
    xs: Sequence[ArrayLike],
    ys: Sequence[ArrayLike] | None = None,
    *,
    cost: str = "mse",
    gamma: float = 1.0,
    step_weights: Sequence[float] = _UNIT,
    band: Band | None = None,
    feature_weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    feature_reduction: str = "sum",
    threads: int | None = None,
) -> NDArray[np.float64]:
    """SDTW of every x with every y, (len(xs), len(ys)).

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
    settings = Settings.of(
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
    found = compute(
        settings,
        xs=[x for x, _ in pairs],
        ys=[y for _, y in pairs],
        costs=None,
        outputs=[],
        threads=check_threads(threads),
    )
    for result in found:
        if isinstance(result, Exception):
            raise result
    return np.array([result["value"] for result in found], dtype=np.float64).reshape(len(xs), len(others))


def barycenter(
    xs: Sequence[ArrayLike],
    weights: ArrayLike | None = None,
    *,
    init: ArrayLike | None = None,
    length: int | None = None,
    cost: str = "mse",
    gamma: float = 1.0,
    step_weights: Sequence[float] = _UNIT,
    band: Band | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """The series z that minimises sum_i weights[i] SDTW(z, x_i).

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
            size = sum(abs(share * _mean_cost(each)) for share, each in zip(shares, alignments, strict=True))
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
    found = align_many([z] * len(series), series, errors="return", **settings)
    alignments = []
    for i, each in enumerate(found):
        if isinstance(each, NoPathError):
            raise ValueError(
                f"band: leaves no path between a barycenter of {len(z)} frames and xs[{i}]: {each}"
            ) from each
        if isinstance(each, Exception):
            raise each
        alignments.append(each)
    return alignments


def _mean_cost(alignment: Alignment) -> float:
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
