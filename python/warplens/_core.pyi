"""The compiled module: it declares, converts and releases the interpreter lock; it does no checking that
the Python side has done before (finite numbers, ranges) beyond shapes."""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
Band: TypeAlias = tuple[str, float]
"""("sakoe_chiba", radius) or ("itakura", max_slope)."""

class PairResult(TypedDict, total=False):
    """What was asked for of one pair; arrays have the dtype of the inputs, numbers are float64."""

    value: float
    h: Floats  # (N,)
    y_mod: Floats  # (N,D)
    x_grad: Floats  # (N,D)
    y_grad: Floats  # (M,D)
    H: Floats  # (N,M)
    E: Floats  # (N,M)
    entropy: float
    gamma_grad: float
    step_weights_grad: NDArray[np.float64]  # (3,): horizontal, vertical, diagonal
    path: NDArray[np.int64]  # (L,2), the hard path, zero-based
    path_value: float

class NoPathError(ValueError): ...

def align_ragged(
    xs: Sequence[Floats],
    ys: Sequence[Floats],
    *,
    cost: str,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: Band | None,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    outputs: Sequence[str],
    threads: int | None,
) -> list[PairResult | ValueError]: ...
def align_padded(
    x: Floats,
    y: Floats,
    *,
    x_lengths: NDArray[np.int64] | None,
    y_lengths: NDArray[np.int64] | None,
    cost: str,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: Band | None,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    outputs: Sequence[str],
    threads: int | None,
) -> dict[str, NDArray[Any]]: ...
def costs_padded(
    costs: Floats,
    *,
    x_lengths: NDArray[np.int64] | None,
    y_lengths: NDArray[np.int64] | None,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: Band | None,
    outputs: Sequence[str],
    threads: int | None,
) -> dict[str, NDArray[Any]]: ...
def costs_ragged(
    costs: Sequence[Floats],
    *,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: Band | None,
    outputs: Sequence[str],
    threads: int | None,
) -> list[PairResult | ValueError]: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
