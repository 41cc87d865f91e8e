"""Local costs by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

COSTS = (
    "mse",
    "sqeuclidean",
    "bce",
    "bce_logits",
    "ce",
    "ce_logits",
    "poisson",
    "poisson_log",
    "cosine",
    "euclidean",
    "l1",
)
"""Names of the costs."""

COSTS_WITHOUT_TARGETS = ("euclidean", "l1")
"""Costs that are not affine in the target: they have no modified targets."""

SYMMETRIC_COSTS = ("mse", "sqeuclidean", "cosine", "euclidean", "l1")
"""Costs with c(x,y) = c(y,x), for which a divergence makes sense."""

MEAN_COSTS = ("mse", "sqeuclidean", "bce", "poisson")
"""Costs for which the x of least sum of weighted costs to given targets is their weighted mean."""

NORMALISED_COSTS = ("cosine", "euclidean")
"""Costs that are not sums over features, so `feature_reduction="mean"` means nothing for them."""

CostFunction: TypeAlias = Callable[[Any, Any], Any]
"""(x (N,D), y (M,D)) -> C (N,M)."""


def check_cost(cost: str | CostFunction) -> None:
    """Raise unless the cost is a known name or a callable."""
    if callable(cost) or cost in COSTS:
        return
    accepted = ", ".join(COSTS)
    if isinstance(cost, str):
        raise ValueError(f"cost: unknown cost {cost!r}; accepted are {accepted}, or a callable (x, y) -> C")
    raise TypeError(f"cost: is a {type(cost).__name__}; accepted are {accepted}, or a callable (x, y) -> C")
