"""Settings of one alignment, checked in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bands import Band, Itakura, SakoeChiba
from ._costs import COSTS_WITHOUT_TARGETS, NORMALISED_COSTS, CostFunction, check_cost
from ._numbers import check_unmasked, is_number
from ._step_weights import StepWeights, check_step_weights


@dataclass(frozen=True)
class AlignmentSettings:
    """Checked settings of one call; make them with `AlignmentSettings.of`."""

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
    ) -> AlignmentSettings:
        """Check every setting; errors name the argument and what is accepted."""
        check_names(cost, band, feature_weights, pos_weight, feature_reduction)
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
        """True where the cost is affine in the target."""
        return isinstance(self.cost, str) and self.cost not in COSTS_WITHOUT_TARGETS

    def recursion_arguments(self) -> dict[str, Any]:
        """Return gamma, step weights and band as the compiled module takes them."""
        return {
            "gamma": self.gamma,
            "step_weights": tuple(self.step_weights),
            "band": None if self.band is None else self.band.as_core(),
        }

    def cost_arguments(self, d: int) -> dict[str, Any]:
        """Return a named cost and its weights over D features as the compiled module takes them."""
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


def check_names(
    cost: str | CostFunction,
    band: Band | None,
    feature_weights: object,
    pos_weight: object,
    feature_reduction: str,
) -> None:
    """Check the settings that are no numbers, and that weights are given only where the cost has them."""
    check_cost(cost)
    if band is not None and not isinstance(band, SakoeChiba | Itakura):
        raise TypeError(f"band: is {band!r}; accepted are None, SakoeChiba(radius) and Itakura(max_slope)")
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


def check_gamma(gamma: float) -> float:
    """Check for a finite number that is not negative."""
    if not is_number(gamma):
        raise TypeError(f"gamma: is {gamma!r}; a number is accepted (0 is hard DTW)")
    value = float(gamma)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"gamma: is {value}; gamma is finite and not negative (0 is hard DTW)")
    return value


def _feature_vector(name: str, weights: ArrayLike | None) -> NDArray[np.float64] | None:
    if weights is None:
        return None
    check_unmasked(name, weights)
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
