"""Checked sequences and cost matrices for the compiled module, copied only where they must be."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._costs import CostFunction
from ._numbers import check_unmasked
from ._settings import AlignmentSettings

# H is as large as the weights, and its row sums are some thousand times as large.
_LARGEST_WEIGHT = 1e30

# Range of the values of x and of y under a cost, as (lowest, highest) with None for no bound.
_RANGES: dict[str, tuple[tuple[float | None, float | None], tuple[float | None, float | None]]] = {
    "bce": ((0, 1), (0, 1)),
    "bce_logits": ((None, None), (0, 1)),
    "ce": ((0, None), (None, None)),
    "poisson": ((0, None), (None, None)),
}


def as_sequence(name: str, values: ArrayLike, dtype: np.dtype[Any] | None = None) -> NDArray[Any]:
    """Check a sequence: finite, C-contiguous (L,D) with L, D >= 1; a series (L,) becomes (L,1).

    float32 and float64 stay what they are, other dtypes become float64, `dtype` overrules both.
    """
    array = _converted(_frames(name, values), dtype)
    _check_finite(name, array)
    return array


def _converted(array: NDArray[Any], dtype: np.dtype[Any] | None) -> NDArray[Any]:
    if dtype is None:
        dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    with np.errstate(over="ignore"):  # what a narrower dtype cannot hold is refused as inf
        return np.require(array, dtype, ["C", "A"])


def _frames(name: str, values: ArrayLike) -> NDArray[Any]:
    """Check for real numbers (L,D) with L, D >= 1, not yet converted or copied."""
    array = as_real_array(name, values)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    check_frames(name, array)
    if array.shape[1] == 0:
        raise ValueError(f"{name}: has no features (shape {array.shape}); at least one is needed")
    return array


def check_frames(name: str, array: NDArray[Any]) -> None:
    """Check for (frames, features) or (frames,) with at least one frame."""
    if array.ndim not in (1, 2):
        raise ValueError(f"{name}: has shape {array.shape}; (frames, features) or (frames,) is accepted")
    if len(array) == 0:
        raise ValueError(f"{name}: is an empty sequence of shape {array.shape}; at least one frame is needed")


def as_real_array(name: str, values: ArrayLike) -> NDArray[Any]:
    """Check for an array of real numbers of any shape."""
    check_unmasked(name, values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: is no array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: has dtype {array.dtype}; real numbers are accepted")
    return array


def check_dtype(dtype: DTypeLike | None) -> np.dtype[Any] | None:
    """Check for None, float32 or float64."""
    if dtype is None:
        return None
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype: is {dtype!r}; None, float32 and float64 are accepted") from None
    if wanted not in (np.float32, np.float64):
        raise ValueError(f"dtype: is {wanted}; float32 and float64 are accepted")
    return wanted


def _check_cells(name: str, n: int, m: int) -> None:
    """Check, before anything is copied, that N*M can be counted in bytes."""
    if n * m >= sys.maxsize // 64:
        raise ValueError(f"{name}: N*M = {n}*{m} cells overflow; shorten the sequences")


def as_pair(
    x: ArrayLike,
    y: ArrayLike,
    settings: AlignmentSettings,
    dtype: DTypeLike | None = None,
    names: tuple[str, str] = ("x", "y"),
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Check x (N,D) and y (M,D) and give them one dtype; values lie in the range that the cost asks for."""
    wanted = check_dtype(dtype)
    x, y = _frames(names[0], x), _frames(names[1], y)
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"{names[1]}: has D = {y.shape[1]} features (shape {y.shape}), but {names[0]} has {x.shape[1]} "
            f"(shape {x.shape}); both need the same D"
        )
    _check_cells(", ".join(names), len(x), len(y))
    x, y = _converted(x, wanted), _converted(y, wanted)
    for side, sequence in enumerate((x, y)):
        if side == 0 and settings.cost == "ce_logits":
            _check_logits(names[side], sequence)
            continue
        extremes = _check_finite(names[side], sequence)
        if isinstance(settings.cost, str):
            check_range(names[side], sequence, settings.cost, side, extremes)
    common = np.result_type(x, y)
    x, y = x.astype(common, copy=False), y.astype(common, copy=False)
    if common == np.float32 and max(settings.step_weights) > _LARGEST_WEIGHT:
        raise ValueError(
            f"step_weights: {max(settings.step_weights):g} is beyond float32, the precision of x and y; "
            f"weights up to {_LARGEST_WEIGHT:g} are accepted, or x or y in float64"
        )
    return x, y


def has_range(cost: str, side: int) -> bool:
    """Return True if a cost refuses some numbers as predictions (`side` 0) or as targets (`side` 1)."""
    return _RANGES.get(cost, ((None, None), (None, None)))[side] != (None, None)


def check_range(
    name: str, values: NDArray[Any], cost: str, side: int, extremes: tuple[Any, Any] | None = None
) -> None:
    """Check the range of predictions (`side` 0) or targets (`side` 1) under a cost; NaN passes."""
    lowest, highest = _RANGES.get(cost, ((None, None), (None, None)))[side]
    if lowest is None and highest is None:
        return
    # The common case in two passes without an array between; a NaN makes both comparisons false.
    least, most = extremes or (values.min(), values.max())
    if (lowest is None or least >= lowest) and (highest is None or most <= highest):
        return
    outside = np.zeros(values.shape, dtype=bool)
    if lowest is not None:
        outside |= values < lowest
    if highest is not None:
        outside |= values > highest
    if not outside.any():
        return
    index = tuple(int(i) for i in np.argwhere(outside)[0])
    accepted = f"values in [{lowest}, {highest}]" if highest is not None else f"values of at least {lowest}"
    logits = (
        {"bce": "bce_logits", "ce": "ce_logits", "poisson": "poisson_log"}.get(cost) if side == 0 else None
    )
    remedy = f' (for raw network outputs use cost="{logits}")' if logits else ""
    raise ValueError(f'{name}: is {values[index]} at index {index}; cost "{cost}" accepts {accepted}{remedy}')


def as_cost_matrix(name: str, costs: ArrayLike, shape: tuple[int, int] | None = None) -> NDArray[Any]:
    """Check a cost matrix: C-contiguous (N,M), N, M >= 1, finite or +inf."""
    array = as_real_array(name, costs)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name}: has shape {array.shape}; a cost matrix (N,M) with N, M >= 1 is accepted")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name}: returned shape {array.shape}; (N,M) = {shape} is accepted")
    _check_cells(name, *array.shape)
    dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    array = np.require(array, dtype, ["C", "A"])
    if finite_extremes(array) is not None:
        return array
    refused = np.isnan(array) | np.isneginf(array)
    if refused.any():
        index = tuple(int(i) for i in np.argwhere(refused)[0])
        raise ValueError(
            f"{name}: is {array[index]} at index {index}; costs are finite, or +inf to forbid a cell"
        )
    return array


def called_costs(cost: CostFunction, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Call a callable cost and check its cost matrix."""
    return as_cost_matrix("cost", cost(x, y), (len(x), len(y)))


def finite_extremes(array: NDArray[Any]) -> tuple[Any, Any] | None:
    """Return the least and the greatest number of a non-empty array, None if any is not finite."""
    # Several times as fast as `np.isfinite(array).all()`; a NaN makes both NaN.
    least, most = array.min(), array.max()
    return (least, most) if math.isfinite(least) and math.isfinite(most) else None


def _check_logits(name: str, array: NDArray[Any]) -> None:
    """Check for logits: finite, or -inf where a class is masked, at least one of a frame finite."""
    if finite_extremes(array) is not None:
        return
    refused = np.isnan(array) | np.isposinf(array)
    if refused.any():
        index = tuple(int(i) for i in np.argwhere(refused)[0])
        raise ValueError(
            f"{name}: is {array[index]} at index {index}; finite numbers are accepted, and -inf for a class "
            "that is masked"
        )
    masked = np.isneginf(array).all(axis=-1)
    if masked.any():
        frame = int(np.flatnonzero(masked)[0])
        raise ValueError(f"{name}: every class of frame {frame} is -inf; at least one finite logit is needed")


def _check_finite(name: str, array: NDArray[Any]) -> tuple[Any, Any]:
    """Check for finite numbers and return the least and the greatest."""
    extremes = finite_extremes(array)
    if extremes is None:
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name}: is {array[index]} at index {index}; finite numbers are accepted")
    return extremes
