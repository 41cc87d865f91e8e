"""Checks of arguments, and the forms in which the checked arguments go to the backends.

Shapes and Python numbers are always checked. Values of tensors are read on the CPU in eager mode only: reading
them elsewhere would wait for the device, so there a bad value gives NaN or +inf in its own pair.
"""

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

import warplens

CostFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""x (B,N,D), y (B,M,D) -> C (B,N,M); what it gives for padded frames is ignored."""
Lengths: TypeAlias = Tensor | Sequence[int] | int
Band: TypeAlias = warplens.SakoeChiba | warplens.Itakura
Reduction: TypeAlias = Literal["none", "mean", "sum"]
Normalize: TypeAlias = Literal["none", "x_length", "y_length", "both"]
FeatureReduction: TypeAlias = Literal["sum", "mean"]
Backend: TypeAlias = Literal["core", "ops"]

INNER_PRODUCT_COSTS = (
    "mse",
    "sqeuclidean",
    "bce",
    "bce_logits",
    "ce",
    "ce_logits",
    "poisson",
    "poisson_log",
    "cosine",
)
ALL_COSTS = (*INNER_PRODUCT_COSTS, "euclidean", "l1")
# Costs of probabilities or rates x: the range, and the cost that takes their logarithms instead.
_RANGES = {
    "bce": (0.0, 1.0, "probabilities in [0, 1]; cost='bce_logits' takes logits"),
    "ce": (0.0, 1.0, "probabilities in [0, 1]; cost='ce_logits' takes logits"),
    "poisson": (0.0, math.inf, "rates of 0 or more; cost='poisson_log' takes log-rates"),
}
# Half the address space leaves room for a few bytes a cell.
_MOST_CELLS = 2**63 // 64


@dataclass(frozen=True)
class Pairs:
    """A padded batch: x (B,N,D) and y (B,M,D) in the dtype that results have."""

    x: Tensor
    y: Tensor
    x_lengths: Tensor | None  # (B,) int64 on the device of x; None where nothing is padded
    y_lengths: Tensor | None
    unbatched: bool


@dataclass(frozen=True)
class CostMatrices:
    """A padded batch of cost matrices C (B,N,M)."""

    C: Tensor
    x_lengths: Tensor | None
    y_lengths: Tensor | None
    unbatched: bool


@dataclass(frozen=True)
class LocalCost:
    """A cost with its weights; the mean over features is in the feature weights."""

    kind: str | CostFunction
    feature_weights: Tensor | None  # (D,) float64
    pos_weight: Tensor | None  # (D,) float64

    @property
    def name(self) -> str:
        """The name, or that of the callable."""
        return self.kind if isinstance(self.kind, str) else getattr(self.kind, "__name__", repr(self.kind))

    @property
    def has_modified_targets(self) -> bool:
        """Whether the gradient is affine in the targets."""
        return self.kind in INNER_PRODUCT_COSTS

    def matrix_of(self, x: Tensor, y: Tensor) -> Tensor:
        """What the callable gives, its shape checked."""
        assert not isinstance(self.kind, str)
        C = self.kind(x, y)
        expected = (*x.shape[:2], y.shape[1])
        if not isinstance(C, Tensor) or C.shape != expected:
            got = f"shape {tuple(C.shape)}" if isinstance(C, Tensor) else type(C).__name__
            raise ValueError(
                f"cost: the callable gave {got} for x {tuple(x.shape)} and y {tuple(y.shape)}; "
                f"it must return a tensor of shape (B, N, M) = {expected}"
            )
        return C


@dataclass(frozen=True)
class RecursionOptions:
    """What the recursion needs beside the costs."""

    gamma: Tensor  # () float64
    step_weights: Tensor  # (3,) float64: horizontal, vertical, diagonal
    band: Band | None


def values_are_readable(tensor: Tensor) -> bool:
    """Whether the values may be looked at without waiting for a device or breaking a compiled graph."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def as_pairs(x: Tensor, y: Tensor, x_lengths: Lengths | None, y_lengths: Lengths | None) -> Pairs:
    """Checks two (batches of) sequences and brings them to one batch of one dtype."""
    for name, tensor in (("x", x), ("y", y)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} is a {type(tensor).__name__}; a torch.Tensor is expected")
        if tensor.ndim not in (2, 3):
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}; (batch, frames, features) or (frames, features) is "
                "expected (a series of numbers is series[:, None])"
            )
        if tensor.is_complex():
            raise TypeError(f"{name} is {tensor.dtype}; real numbers are expected")
    if x.ndim != y.ndim:
        raise ValueError(f"x has shape {tuple(x.shape)} and y {tuple(y.shape)}; both or neither must have a batch axis")
    if x.device != y.device:
        raise ValueError(f"x is on {x.device} and y on {y.device}; both must be on the same device")
    unbatched = x.ndim == 2
    shapes = f"x has shape {tuple(x.shape)} and y {tuple(y.shape)}"
    if unbatched:
        x, y = x.unsqueeze(0), y.unsqueeze(0)
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"{shapes}; both must hold the same number of pairs")
    if x.shape[2] != y.shape[2]:
        raise ValueError(f"{shapes}; both must have the same number of features")
    if x.shape[2] == 0:
        raise ValueError(f"{shapes}; at least one feature is needed")
    _check_cells(x.shape[1], y.shape[1], shapes)
    dtype = _result_dtype(x, y)
    return Pairs(
        x.to(dtype),
        y.to(dtype),
        _as_lengths("x_lengths", x_lengths, x, "x", unbatched=unbatched),
        _as_lengths("y_lengths", y_lengths, y, "y", unbatched=unbatched),
        unbatched,
    )


def as_cost_matrices(C: Tensor, x_lengths: Lengths | None, y_lengths: Lengths | None) -> CostMatrices:
    """Checks one or a batch of cost matrices."""
    if not isinstance(C, Tensor):
        raise TypeError(f"C is a {type(C).__name__}; a torch.Tensor is expected")
    if C.ndim not in (2, 3):
        raise ValueError(f"C has shape {tuple(C.shape)}; (B, N, M) or (N, M) is expected")
    if C.is_complex():
        raise TypeError(f"C is {C.dtype}; real numbers are expected")
    unbatched = C.ndim == 2
    if unbatched:
        C = C.unsqueeze(0)
    _check_cells(C.shape[1], C.shape[2], f"C has shape {tuple(C.shape)}")
    return CostMatrices(
        C.to(_result_dtype(C)),
        _as_lengths("x_lengths", x_lengths, C, "C", unbatched=unbatched),
        _as_lengths("y_lengths", y_lengths, C.mT, "the columns of C", unbatched=unbatched),
        unbatched,
    )


def as_local_cost(
    cost: str | CostFunction,
    feature_weights: Tensor | Sequence[float] | None,
    pos_weight: Tensor | Sequence[float] | None,
    feature_reduction: FeatureReduction,
    features: int,
) -> LocalCost:
    """Checks a cost and its weights; `feature_reduction="mean"` becomes a feature weight 1/D."""
    check_cost(cost, feature_weights, pos_weight, feature_reduction)
    weights = _as_feature_vector("feature_weights", feature_weights, features)
    if feature_reduction == "mean":
        weights = torch.ones(features, dtype=torch.float64) if weights is None else weights
        weights = weights / features
    return LocalCost(cost, weights, _as_feature_vector("pos_weight", pos_weight, features))


def check_cost(
    cost: object, feature_weights: object, pos_weight: object, feature_reduction: object
) -> None:
    """Checks what can be checked before the number of features is known."""
    check_choice("feature_reduction", feature_reduction, get_args(FeatureReduction))
    if callable(cost):
        if feature_weights is not None or pos_weight is not None or feature_reduction != "sum":
            raise ValueError(
                "feature_weights, pos_weight and feature_reduction have no meaning for a callable cost; "
                "weight and reduce inside the callable"
            )
    elif cost not in ALL_COSTS:
        raise ValueError(f"cost={cost!r} is unknown; known are {', '.join(ALL_COSTS)}, or a callable (x, y) -> C")
    if pos_weight is not None and cost not in ("bce", "bce_logits"):
        raise ValueError(f"pos_weight is for cost='bce' and 'bce_logits', not for cost={cost!r}")


def as_recursion_options(
    gamma: float | Tensor, step_weights: Sequence[float] | Tensor, band: object
) -> RecursionOptions:
    """Checks gamma, the step weights and the band."""
    return RecursionOptions(as_gamma(gamma), as_step_weights(step_weights), as_band(band))


def as_gamma(gamma: float | Tensor) -> Tensor:
    """Gamma as a () float64 tensor."""
    if isinstance(gamma, Tensor):
        if gamma.numel() != 1 or gamma.is_complex() or gamma.dtype == torch.bool:
            raise ValueError(f"gamma has shape {tuple(gamma.shape)} and {gamma.dtype}; one real number is expected")
        number = gamma.reshape(()).to(torch.float64)
    elif isinstance(gamma, numbers.Real) and not isinstance(gamma, bool):
        number = torch.tensor(float(gamma), dtype=torch.float64)
    else:
        raise TypeError(f"gamma is a {type(gamma).__name__}; a number or a tensor of one number is expected")
    if values_are_readable(number) and not (0.0 <= (value := float(number.detach())) < math.inf):
        raise ValueError(f"gamma is {value}; gamma is finite and not negative (0 is hard DTW)")
    return number


def as_step_weights(step_weights: Sequence[float] | Tensor) -> Tensor:
    """Step weights as a (3,) float64 tensor."""
    accepted = "three numbers, horizontal, vertical, diagonal"
    if isinstance(step_weights, Tensor):
        if step_weights.shape != (3,) or step_weights.is_complex():
            raise ValueError(f"step_weights has shape {tuple(step_weights.shape)}; {accepted}, are expected")
        weights = step_weights.to(torch.float64)
    else:
        try:
            given = [float(weight) for weight in step_weights]
        except (TypeError, ValueError):
            raise TypeError(f"step_weights is {step_weights!r}; {accepted}, are expected") from None
        if len(given) != 3:
            raise ValueError(f"step_weights has {len(given)} entries; {accepted}, are expected")
        weights = torch.tensor(given, dtype=torch.float64)
    if values_are_readable(weights):
        for name, value in zip(("horizontal", "vertical", "diagonal"), weights.tolist(), strict=True):
            if not 0.0 <= value < math.inf:
                raise ValueError(f"step_weights: {name} is {value}; step weights are finite and not negative")
    return weights


def as_band(band: object) -> Band | None:
    """A band is checked when it is made; here only its type."""
    if band is not None and not isinstance(band, warplens.SakoeChiba | warplens.Itakura):
        raise TypeError(
            f"band is {band!r}; warplens.SakoeChiba(radius), warplens.Itakura(max_slope) or None is expected"
        )
    return band


def check_reduction(reduction: object, normalize: object) -> None:
    """Checks how pairs become one number."""
    check_choice("reduction", reduction, get_args(Reduction))
    if isinstance(normalize, bool):
        raise ValueError(
            f"normalize={normalize}: normalize says by which length a pair is divided, "
            f"{_listed(get_args(Normalize))}; the divergence that some packages call normalize is debias=True"
        )
    check_choice("normalize", normalize, get_args(Normalize))


def check_choice(name: str, given: object, accepted: tuple[str, ...]) -> None:
    """Checks one of a few words."""
    if not isinstance(given, str) or given not in accepted:
        raise ValueError(f"{name}={given!r}; {_listed(accepted)} is expected")


def check_values(pairs: Pairs, cost: LocalCost) -> None:
    """Raises for values that the cost cannot take, where values can be read; NaN passes, into its own pair."""
    if not isinstance(cost.kind, str) or not values_are_readable(pairs.x):
        return
    if cost.kind in _RANGES:
        low, high, accepted = _RANGES[cost.kind]
        _check_range("x", pairs.x, pairs.x_lengths, low, high, cost.kind, accepted, pairs.unbatched)
    if cost.kind == "bce":
        _check_range(
            "y", pairs.y, pairs.y_lengths, 0.0, 1.0, cost.kind, "targets in [0, 1]", pairs.unbatched
        )


def _check_range(
    name: str,
    frames: Tensor,
    lengths: Tensor | None,
    low: float,
    high: float,
    cost: str,
    accepted: str,
    unbatched: bool,
) -> None:
    frames = frames.detach()
    if frames.numel() == 0:
        return
    least, greatest = torch.aminmax(frames)
    if least >= low and greatest <= high:  # false too when there is a NaN
        return
    bad = (frames < low) | (frames > high)
    if lengths is not None:
        bad &= inside(frames, lengths).unsqueeze(2)
    if bad.any():
        index = tuple(bad.nonzero()[0].tolist())
        shown = ", ".join(map(str, index[1:] if unbatched else index))
        raise ValueError(f"{name}[{shown}] is {frames[index].item()}; cost={cost!r} takes {accepted}")


def inside(frames: Tensor, lengths: Tensor) -> Tensor:
    """(B,T), whether a frame belongs to its sequence."""
    return torch.arange(frames.shape[1], device=frames.device) < lengths[:, None]


def _as_lengths(
    name: str, lengths: Lengths | None, frames: Tensor, what: str, *, unbatched: bool
) -> Tensor | None:
    if lengths is None:
        return None
    batch, most = frames.shape[:2]
    expected = "one int" if unbatched else f"{batch} ints"
    if not isinstance(lengths, Tensor):
        try:
            lengths = torch.as_tensor(lengths)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(f"{name} is {lengths!r}; {expected} or a tensor of them are expected") from None
    if lengths.dtype == torch.bool or lengths.is_floating_point() or lengths.is_complex():
        raise TypeError(f"{name} is {lengths.dtype}; {expected} or a tensor of them are expected")
    if unbatched and lengths.ndim == 0:
        lengths = lengths.unsqueeze(0)
    if lengths.shape != (batch,):
        raise ValueError(f"{name} has shape {tuple(lengths.shape)}; {expected}, one a pair, are expected")
    if values_are_readable(lengths):
        for index, length in enumerate(lengths.tolist()):
            if not 1 <= length <= most:
                raise ValueError(
                    f"{name}[{index}] is {length}; a length is from 1 to {most}, the padded length of {what}"
                )
    return lengths.to(device=frames.device, dtype=torch.int64)


def _as_feature_vector(name: str, given: Tensor | Sequence[float] | None, features: int) -> Tensor | None:
    if given is None:
        return None
    vector = torch.as_tensor(given, dtype=torch.float64)
    if vector.shape != (features,):
        raise ValueError(f"{name} has shape {tuple(vector.shape)}; one weight a feature, ({features},), is expected")
    if vector.requires_grad:
        raise ValueError(f"{name} requires grad; it is a constant of the cost (use .detach())")
    if values_are_readable(vector):
        bad = ~((vector >= 0.0) & torch.isfinite(vector))
        if bad.any():
            index = int(bad.nonzero()[0])
            raise ValueError(f"{name}[{index}] is {vector[index].item()}; weights are finite and not negative")
    return vector


def _check_cells(rows: int, columns: int, shapes: str) -> None:
    for name, frames in (("x", rows), ("y", columns)):
        if frames == 0:
            raise ValueError(f"{shapes}: {name} is an empty sequence; at least one frame is needed")
    if rows * columns >= _MOST_CELLS:
        raise ValueError(f"{shapes}: N*M = {rows}*{columns} cells overflow; shorten the sequences")


def _result_dtype(*tensors: Tensor) -> torch.dtype:
    dtype = tensors[0].dtype
    for tensor in tensors[1:]:
        dtype = torch.promote_types(dtype, tensor.dtype)
    if not dtype.is_floating_point:
        return torch.get_default_dtype()
    return torch.float64 if dtype == torch.float64 else torch.float32


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(repr(word) for word in words[:-1]) + f" or {words[-1]!r}"
