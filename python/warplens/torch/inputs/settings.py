"""Non-tensor arguments, validated by the rules of the NumPy functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from warplens import _settings
from warplens._bands import Band
from warplens._costs import COSTS_WITHOUT_TARGETS, SYMMETRIC_COSTS
from warplens._numbers import check_unmasked
from warplens._settings import check_gamma
from warplens._step_weights import StepWeights, check_step_weights
from warplens.torch.inputs.batches import as_dtype, values_are_readable
from warplens.torch.inputs.prior import CostWithPrior, PriorTerm

CostFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""x (B,N,D), y (B,M,D) -> C (B,N,M); its costs of padded frames are ignored."""
Cost: TypeAlias = str | CostFunction | CostWithPrior
Weights: TypeAlias = Tensor | Sequence[float]
Reduction: TypeAlias = Literal["none", "mean", "sum"]
Normalize: TypeAlias = Literal["none", "x_length", "y_length", "both"]
FeatureReduction: TypeAlias = Literal["sum", "mean"]


@dataclass(frozen=True)
class LocalCost:
    """A cost with its weights; the mean over features is in the feature weights."""

    kind: str | CostFunction
    feature_weights: Tensor | None  # (D,) float64
    pos_weight: Tensor | None  # (D,) float64
    prior: PriorTerm | None = None  # added to the costs

    @property
    def needs_matrix(self) -> bool:
        """True where costs are needed as a matrix: backends know the named costs alone."""
        return callable(self.kind) or self.prior is not None

    @property
    def name(self) -> str:
        """The name of the cost, or of the callable."""
        return self.kind if isinstance(self.kind, str) else getattr(self.kind, "__name__", repr(self.kind))

    @property
    def has_modified_targets(self) -> bool:
        """True where the cost is known to be affine in the target."""
        return isinstance(self.kind, str) and self.kind not in COSTS_WITHOUT_TARGETS


@dataclass(frozen=True)
class RecursionSettings:
    """Settings of the recursion over given costs."""

    gamma: Tensor  # () float64
    step_weights: Tensor  # (3,) float64: horizontal, vertical, diagonal
    band: Band | None
    numbers: tuple[float, tuple[float, float, float]] | None = None
    """Gamma and step weights as they were read; None where that would wait for a device."""

    def read(self) -> tuple[float, tuple[float, float, float]]:
        """Return gamma and step weights as numbers."""
        if self.numbers is not None:
            return self.numbers
        horizontal, vertical, diagonal = self.step_weights.tolist()
        return self.gamma.item(), (horizontal, vertical, diagonal)


def as_local_cost(
    cost: Cost,
    feature_weights: Weights | None,
    pos_weight: Weights | None,
    feature_reduction: FeatureReduction,
    features: int,
) -> LocalCost:
    """Check the weights over D features; `feature_reduction="mean"` becomes a feature weight 1/D."""
    vectors = []
    for name, given in (("feature_weights", feature_weights), ("pos_weight", pos_weight)):
        vector = as_weight_vector(name, given)
        if vector is not None and vector.shape != (features,):
            raise ValueError(
                f"{name}: has shape {tuple(vector.shape)}; "
                f"one weight for each of D = {features} features is accepted"
            )
        vectors.append(vector)
    if feature_reduction == "mean":
        ones = torch.ones(features, dtype=torch.float64)
        vectors[0] = (ones if vectors[0] is None else vectors[0]) / features
    prior = cost.term if isinstance(cost, CostWithPrior) else None
    return LocalCost(bare_cost(cost), vectors[0], vectors[1], prior)


def bare_cost(cost: Cost) -> str | CostFunction:
    """Return the cost without its prior."""
    return cost.cost if isinstance(cost, CostWithPrior) else cost


def as_recursion_settings(
    gamma: float | Tensor, step_weights: Weights, band: Band | None
) -> RecursionSettings:
    """Check gamma and the step weights."""
    softness, number = _checked_gamma(gamma)
    weights, numbers = _checked_step_weights(step_weights)
    read = None if number is None or numbers is None else (number, numbers)
    return RecursionSettings(softness, weights, band, read)


def check_names(
    cost: Cost = "mse",
    feature_weights: object = None,
    pos_weight: object = None,
    feature_reduction: str = "sum",
    band: Band | None = None,
) -> None:
    """Check all settings that need neither the number of features nor the values of a tensor."""
    _settings.check_names(bare_cost(cost), band, feature_weights, pos_weight, feature_reduction)


def as_gamma(gamma: float | Tensor) -> Tensor:
    """Check gamma: a () float64 tensor."""
    return _checked_gamma(gamma)[0]


def _checked_gamma(gamma: float | Tensor) -> tuple[Tensor, float | None]:
    """Return a () float64 tensor, and its number where it can be read."""
    number = None
    if not isinstance(gamma, Tensor):
        number = check_gamma(gamma)
        return torch.tensor(number, dtype=torch.float64), number
    if gamma.numel() != 1 or gamma.is_complex():
        raise ValueError(
            f"gamma: has shape {tuple(gamma.shape)} and dtype {gamma.dtype}; one real number is accepted"
        )
    if values_are_readable(gamma):
        number = check_gamma(float(gamma.item()))
    return as_dtype(gamma if gamma.ndim == 0 else gamma.reshape(()), torch.float64), number


def as_step_weights(step_weights: Weights) -> Tensor:
    """Check step weights: a (3,) float64 tensor."""
    return _checked_step_weights(step_weights)[0]


def _checked_step_weights(step_weights: Weights) -> tuple[Tensor, StepWeights | None]:
    """Return a (3,) float64 tensor, and its numbers where they can be read."""
    numbers = None
    if not isinstance(step_weights, Tensor):
        numbers = check_step_weights(step_weights)
        return torch.tensor(numbers, dtype=torch.float64), numbers
    if step_weights.shape != (3,) or step_weights.is_complex():
        raise ValueError(
            f"step_weights: has shape {tuple(step_weights.shape)} and dtype {step_weights.dtype}; "
            "three real numbers are accepted (horizontal, vertical, diagonal)"
        )
    if values_are_readable(step_weights):
        numbers = check_step_weights(step_weights.tolist())
    return as_dtype(step_weights, torch.float64), numbers


def as_weight_vector(name: str, given: Weights | None) -> Tensor | None:
    """Check weights of features: a (D,) float64 tensor, for any D."""
    if given is None:
        return None
    check_unmasked(name, given)
    try:
        vector = torch.as_tensor(given, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name}: is {given!r}; a vector (D,) of numbers is accepted") from None
    if vector.ndim != 1:
        raise ValueError(f"{name}: has shape {tuple(vector.shape)}; a vector (D,) is accepted")
    if isinstance(given, Tensor) and given.requires_grad:
        raise ValueError(f"{name}: requires grad; it is a constant of the cost, pass {name}.detach()")
    if values_are_readable(vector):
        bad = (~(vector.isfinite() & (vector >= 0.0))).nonzero()
        if len(bad):
            raise ValueError(
                f"{name}: entry {int(bad[0])} is {vector[bad[0]].item()}; weights are finite and not negative"
            )
    return vector


def check_reduction(reduction: object, normalize: object) -> None:
    """Check the names of a reduction and of a normalization."""
    _check_word("reduction", reduction, get_args(Reduction))
    if isinstance(normalize, bool):
        raise ValueError(
            f"normalize: is {normalize}; it says by which length a pair is divided, "
            f"{_listed(get_args(Normalize))}; the divergence that others call normalize=True is debias=True"
        )
    _check_word("normalize", normalize, get_args(Normalize))


def check_symmetric(cost: Cost) -> None:
    """Check that the cost is symmetric, as a divergence needs it."""
    if isinstance(cost, CostWithPrior):
        raise ValueError(
            "debias: a divergence needs a symmetric cost; a DiagonalPrior is none, for what it adds changes "
            "when x and y change places. Give its cost alone, or debias=False"
        )
    if not callable(cost) and cost not in SYMMETRIC_COSTS:
        raise ValueError(
            f"debias: a divergence needs a symmetric cost ({', '.join(SYMMETRIC_COSTS)}, or a callable "
            f"that is), not {cost!r}"
        )


def snapshot(cost: LocalCost, settings: RecursionSettings) -> tuple[LocalCost, RecursionSettings]:
    """Copy settings for later use: changes in place of gamma or a weight do not reach the copies.

    Gradients go through them.
    """
    copied = replace(settings, gamma=settings.gamma.clone(), step_weights=settings.step_weights.clone())
    return snapshot_of_cost(cost), copied


def snapshot_of_cost(cost: LocalCost) -> LocalCost:
    """Copy the tensors of a cost likewise."""
    prior = cost.prior
    if prior is not None:
        prior = prior._replace(weight=prior.weight.clone())
    return replace(
        cost,
        feature_weights=None if cost.feature_weights is None else cost.feature_weights.clone(),
        pos_weight=None if cost.pos_weight is None else cost.pos_weight.clone(),
        prior=prior,
    )


def _check_word(name: str, given: object, accepted: tuple[str, ...]) -> None:
    if not isinstance(given, str) or given not in accepted:
        raise ValueError(f"{name}: is {given!r}; accepted are {_listed(accepted)}")


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(repr(word) for word in words)
