"""What a soft-DTW call is told beside the sequences: costs, step weights, bands; checked, in one place."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
"""Every cost by name."""

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


@dataclass(frozen=True)
class SakoeChiba:
    """Cells within `radius` frames (of the longer sequence) of the line between the corners.

    For N >= M a cell is allowed iff |(n-1) - (m-1)(N-1)/(M-1)| <= radius; for N < M the sequences change
    places; all cells are allowed if N or M is 1. A radius that leaves no path is an error that names the
    smallest radius that leaves one.
    """

    radius: float

    def __post_init__(self) -> None:
        if not _is_number(self.radius) or not self.radius >= 0:
            raise ValueError(f"radius: is {self.radius!r}; a radius is a number of frames, 0 or more")

    def as_core(self) -> tuple[str, float]:
        """The band as the compiled module takes it."""
        return ("sakoe_chiba", float(self.radius))


@dataclass(frozen=True)
class Itakura:
    """The parallelogram between the corners whose sides have slopes `max_slope` and `1/max_slope`.

    With t = (n-1)/(N-1) and q = (m-1)/(M-1) a cell is allowed iff t/s <= q <= s t and
    (1-t)/s <= 1-q <= s (1-t), s = max_slope; all cells are allowed if N or M is 1.
    """

    max_slope: float

    def __post_init__(self) -> None:
        if not _is_number(self.max_slope) or not self.max_slope >= 1:
            raise ValueError(f"max_slope: is {self.max_slope!r}; a slope is a number, 1 or more")

    def as_core(self) -> tuple[str, float]:
        """The band as the compiled module takes it."""
        return ("itakura", float(self.max_slope))


Band: TypeAlias = SakoeChiba | Itakura


@dataclass(frozen=True)
class Settings:
    """Checked settings of one call; make them with `Settings.of`."""

    cost: str | CostFunction
    gamma: float
    step_weights: StepWeights
    band: Band | None
    feature_weights: NDArray[np.float64] | None
    pos_weight: NDArray[np.float64] | None
    feature_reduction: str

    @classmethod
    def of(
        cls,
        *,
        cost: str | CostFunction,
        gamma: float,
        step_weights: Sequence[float],
        band: Band | None = None,
        feature_weights: ArrayLike | None = None,
        pos_weight: ArrayLike | None = None,
        feature_reduction: str = "sum",
    ) -> Settings:
        """Checks every setting; errors name the argument and what is accepted."""
        check_cost(cost)
        if band is not None and not isinstance(band, SakoeChiba | Itakura):
            raise TypeError(
                f"band: is {band!r}; accepted are None, SakoeChiba(radius) and Itakura(max_slope)"
            )
        if feature_reduction not in ("sum", "mean"):
            raise ValueError(f'feature_reduction: is {feature_reduction!r}; accepted are "sum" and "mean"')
        if callable(cost) and (feature_weights is not None or feature_reduction == "mean"):
            raise ValueError("feature_weights, feature_reduction: a callable cost weighs its features itself")
        if feature_reduction == "mean" and cost in NORMALISED_COSTS:
            raise ValueError(
                f'feature_reduction: "mean" has no meaning for cost {cost!r}, which is no sum over features'
            )
        if pos_weight is not None and cost not in ("bce", "bce_logits"):
            raise ValueError(f'pos_weight: belongs to the costs "bce" and "bce_logits", not to {cost!r}')
        return cls(
            cost=cost,
            gamma=check_gamma(gamma),
            step_weights=check_step_weights(step_weights),
            band=band,
            feature_weights=_feature_vector("feature_weights", feature_weights),
            pos_weight=_feature_vector("pos_weight", pos_weight),
            feature_reduction=feature_reduction,
        )

    @property
    def has_modified_targets(self) -> bool:
        """Whether the cost is affine in the target."""
        return isinstance(self.cost, str) and self.cost not in COSTS_WITHOUT_TARGETS

    def recursion_arguments(self) -> dict[str, Any]:
        """gamma, step weights and band as the compiled module takes them."""
        return {
            "gamma": self.gamma,
            "step_weights": tuple(self.step_weights),
            "band": None if self.band is None else self.band.as_core(),
        }

    def cost_arguments(self, d: int) -> dict[str, Any]:
        """A named cost and its weights over D features as the compiled module takes them."""
        for name in ("feature_weights", "pos_weight"):
            weights = getattr(self, name)
            if weights is not None and weights.shape != (d,):
                raise ValueError(
                    f"{name}: has shape {weights.shape}; one weight for each of D = {d} features is accepted"
                )
        feature_weights = self.feature_weights
        if self.feature_reduction == "mean":
            feature_weights = (np.ones(d) if feature_weights is None else feature_weights) / d
        return {"cost": self.cost, "feature_weights": feature_weights, "pos_weight": self.pos_weight}


def check_cost(cost: str | CostFunction) -> None:
    """A known name or a callable."""
    if callable(cost) or cost in COSTS:
        return
    accepted = ", ".join(COSTS)
    if isinstance(cost, str):
        raise ValueError(f"cost: unknown cost {cost!r}; accepted are {accepted}, or a callable (x, y) -> C")
    raise TypeError(f"cost: is a {type(cost).__name__}; accepted are {accepted}, or a callable (x, y) -> C")


def check_gamma(gamma: float) -> float:
    """A finite number, not negative."""
    if not _is_number(gamma):
        raise TypeError(f"gamma: is {gamma!r}; a number is accepted (0 is hard DTW)")
    value = float(gamma)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"gamma: is {value}; gamma is finite and not negative (0 is hard DTW)")
    return value


def check_step_weights(step_weights: Sequence[float]) -> StepWeights:
    """Three finite numbers, none negative."""
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


def _feature_vector(name: str, weights: ArrayLike | None) -> NDArray[np.float64] | None:
    if weights is None:
        return None
    try:
        vector = np.ascontiguousarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: is no vector of numbers: {error}") from error
    if vector.ndim != 1:
        raise ValueError(f"{name}: has shape {vector.shape}; a vector (D,) is accepted")
    bad = np.flatnonzero(~(np.isfinite(vector) & (vector >= 0)))
    if bad.size:
        raise ValueError(f"{name}: entry {bad[0]} is {vector[bad[0]]}; weights are finite and not negative")
    return vector


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real | np.floating | np.integer) and not isinstance(value, bool)
