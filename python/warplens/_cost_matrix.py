"""The cost matrix of one pair, which alignments never hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _core
from ._compute import costs_overflow
from ._costs import CostFunction
from ._sequences import as_pair, called_costs, finite_extremes
from ._settings import AlignmentSettings


def cost_matrix(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cost: str | CostFunction = "mse",
    feature_weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    feature_reduction: str = "sum",
    dtype: DTypeLike | None = None,
) -> NDArray[Any]:
    """Return the local costs C(n,m) = c(x_n, y_m) that `align` charges.

    Sums run over the features d = 1..D, each weighted by f_d (`feature_weights`, 1 where not given); p_d is
    `pos_weight`. Logs are clamped at -100. c(x,y) is::

        mse            1/2 sum f (x - y)^2
        sqeuclidean    sum f (x - y)^2
        bce            -sum f (p y log x + (1 - y) log(1 - x)),  probabilities x
        bce_logits     sum f (p y softplus(-x) + (1 - y) softplus(x)),  logits x
        ce             -sum f y log x,  probabilities x
        ce_logits      -sum f y log_softmax(x)
        poisson        sum f (x - y log x),  rates x
        poisson_log    sum f (exp(x) - y x),  log-rates x
        cosine         1 - <x,y> / (|x| |y|),  <x,y> = sum f x y, |z|^2 = <z,z>; 1 where a frame is 0
        euclidean      sqrt(sum f (x - y)^2)
        l1             sum f |x - y|

    All but the last two are computed in the form u(x_n) + phi(y_m) - <v(x_n), w(y_m)>, so the squared costs
    of equal frames are 0 up to the rounding of float64.

    Args:
        x: predictions (N,D) or (N,), float32 or float64; other dtypes are cast to float64.
        y: targets (M,D) or (M,).
        cost: a name from the list, or a callable (x, y) -> C (N,M).
        feature_weights: (D,), finite and not negative.
        pos_weight: (D,), finite and not negative, for the BCE costs.
        feature_reduction: "sum" or "mean" over features; not for cosine and euclidean.
        dtype: of the costs; None is that of `np.result_type(x, y)`.

    Returns:
        C (N,M), computed in float64 and rounded to `dtype`; what a callable cost returned is checked.

    Raises:
        ValueError: an empty sequence, different D, NaN or infinity in x or y (-inf in x is a masked class
            under ce_logits, and +inf in C where a target asks for it), values outside the range of the
            cost, an unknown cost, weights that do not fit, costs beyond the range of `dtype`.
        TypeError: something that is not a number where one is needed.
    """
    settings = AlignmentSettings.of(
        cost=cost,
        gamma=1.0,
        step_weights=(1.0, 1.0, 1.0),
        feature_weights=feature_weights,
        pos_weight=pos_weight,
        feature_reduction=feature_reduction,
    )
    x, y = as_pair(x, y, settings, dtype)
    if callable(settings.cost):
        return called_costs(settings.cost, x, y)
    costs: NDArray[Any] = _core.cost_matrix(x, y, **settings.cost_arguments(x.shape[1]))
    # A masked class that a target asks for forbids the cell.
    if finite_extremes(costs) is None and (settings.cost != "ce_logits" or np.isnan(costs).any()):
        raise costs_overflow(settings, costs.dtype)
    return costs
