"""The compiled module: it declares, converts and releases the interpreter lock.

Beyond shapes it does no checking that the Python side has done before (finite numbers, ranges).
"""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypedDict, type_check_only

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NoPathError",
    "__version__",
    "align_and_measure_pair",
    "align_padded",
    "align_ragged",
    "available_instruction_sets",
    "costs_padded",
    "costs_ragged",
    "find_events",
    "get_num_threads",
    "instruction_set",
    "limits_of_quartiles",
    "measure_alignment",
    "measure_events",
    "set_num_threads",
    "tangent_padded",
]

__version__: str

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
_Band: TypeAlias = tuple[str, float]
"""("sakoe_chiba", radius) or ("itakura", max_slope)."""

@type_check_only
class PairResult(TypedDict, total=False):
    """What was asked for of one pair; arrays have the dtype of the inputs, numbers are float64."""

    value: float
    h: _Floats  # (N,)
    y_mod: _Floats  # (N,D)
    x_grad: _Floats  # (N,D)
    y_grad: _Floats  # (M,D)
    H: _Floats  # (N,M)
    E: _Floats  # (N,M)
    entropy: float
    gamma_grad: float
    step_weights_grad: NDArray[np.float64]  # (3,): horizontal, vertical, diagonal
    path: NDArray[np.int64]  # (L,2), the hard path, zero-based
    path_value: float

@type_check_only
class AlignmentMeasures(TypedDict, total=False):
    """What G soft alignments hold of their targets, frames and K events; G = 1 where one is given."""

    masses: NDArray[np.float64]  # (G,M)
    path: NDArray[np.float64]  # (G,N)
    frame_entropy: NDArray[np.float64]  # (G,N)
    measures: NDArray[
        np.float64
    ]  # (G,22), MEASURES up to those against strong targets; only where h is known
    levels: NDArray[np.float64]  # (G,K,9): peak, duration, mean_level, onset_fade, offset_fade, widening; as
    # int64 by their bits peak_frame, first, last

@type_check_only
class PairMeasures(AlignmentMeasures, total=False):
    """The same of one pair at G gammas, and what was asked for in the dtype of the inputs."""

    h: _Floats  # (G,N)
    y_mod: _Floats  # (G,N,D)
    H: _Floats  # (G,N,M)

@type_check_only
class Runs(TypedDict):
    """Events, (K,) each, by start, then feature."""

    feature: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

class NoPathError(ValueError): ...

def align_and_measure_pair(
    x: _Floats,
    y: _Floats,
    *,
    cost: str,
    gammas: Sequence[float],
    step_weights: tuple[float, float, float],
    features: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    threshold: float,
    outputs: Sequence[str],
    threads: int | None,
) -> PairMeasures: ...
def align_ragged(
    xs: Sequence[_Floats],
    ys: Sequence[_Floats],
    *,
    cost: str,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    outputs: Sequence[str],
    threads: int | None,
) -> list[PairResult | ValueError | MemoryError]: ...
def align_padded(
    x: _Floats,
    y: _Floats,
    *,
    x_lengths: NDArray[np.int64] | None,
    y_lengths: NDArray[np.int64] | None,
    cost: str,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    outputs: Sequence[str],
    threads: int | None,
) -> dict[str, NDArray[Any]]: ...
def costs_padded(
    costs: _Floats,
    *,
    x_lengths: NDArray[np.int64] | None,
    y_lengths: NDArray[np.int64] | None,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    outputs: Sequence[str],
    threads: int | None,
) -> dict[str, NDArray[Any]]: ...
def tangent_padded(
    costs: NDArray[np.float64],
    costs_direction: NDArray[np.float64],
    *,
    x_lengths: NDArray[np.int64] | None,
    y_lengths: NDArray[np.int64] | None,
    gamma: float,
    gamma_direction: float,
    step_weights: tuple[float, float, float],
    step_weights_direction: tuple[float, float, float],
    band: _Band | None,
    threads: int | None,
) -> dict[str, NDArray[np.float64]]:
    """How `value` (B,), `H` (B,N,M) and the gradients of gamma and step weights change along a direction."""

def costs_ragged(
    costs: Sequence[_Floats],
    *,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    outputs: Sequence[str],
    threads: int | None,
) -> list[PairResult | ValueError | MemoryError]: ...
def measure_alignment(
    alignment: _Floats,
    y: _Floats,
    *,
    features: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    threshold: float,
    h: _Floats | None = None,
) -> AlignmentMeasures: ...
def measure_events(levels: NDArray[np.float64], threshold: float) -> list[float]:
    """Of records (K,9) the measures of events, in the order of MEASURES."""

def limits_of_quartiles(durations: NDArray[np.float64]) -> list[float]:
    """Up to which events are short, and from which on long."""

def find_events(y: _Floats) -> Runs: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def instruction_set() -> str: ...
def available_instruction_sets() -> list[str]: ...
