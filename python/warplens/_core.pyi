"""The compiled module, which checks shapes alone: finite numbers and ranges are checked before the call."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias, TypedDict, TypeVar, type_check_only

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LEAST_ROW_SUM",
    "MEASURES",
    "MOST_THREADS",
    "NoPathError",
    "__version__",
    "align_and_measure_pair",
    "align_padded",
    "align_ragged",
    "available_instruction_sets",
    "barycenter_sums",
    "cost_matrix",
    "costs_padded",
    "costs_ragged",
    "divergence",
    "find_events",
    "frame_synchronous_padded",
    "get_num_threads",
    "instruction_set",
    "measure_alignment",
    "measure_events",
    "model_of_classes",
    "model_of_costs",
    "model_of_pair",
    "models_of_costs",
    "pairwise_gradients",
    "pairwise_values",
    "quartile_limits",
    "read_alignment",
    "set_num_threads",
    "sharp_costs_padded",
    "sharp_padded",
    "tangent_of_pairs_padded",
    "tangent_padded",
    "use_openmp_team",
    "uses_openmp_team",
]

__version__: Final[str]

MOST_THREADS: Final[int]
"""The greatest number of threads that can be asked for."""

LEAST_ROW_SUM: Final[float]
"""A row of H with a smaller sum gives way to that of E; without a step weight below this there is none."""

MEASURES: Final[tuple[str, ...]]
"""Names of the measures that need no strong target, in the order of tables."""

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
_Float = TypeVar("_Float", np.float32, np.float64)
_Band: TypeAlias = tuple[str, float]
"""("sakoe_chiba", radius) or ("itakura", max_slope)."""

@type_check_only
class PairResult(TypedDict, total=False):
    """Results that were asked for of one pair; arrays have the dtype of the inputs, numbers are float64."""

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
class Levels(TypedDict):
    """Levels of K events in one alignment, (K,) each, or in G alignments, (G,K)."""

    peak: NDArray[np.float64]
    duration: NDArray[np.float64]
    mean_level: NDArray[np.float64]
    onset_fade: NDArray[np.float64]
    offset_fade: NDArray[np.float64]
    widening: NDArray[np.float64]
    peak_frame: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

@type_check_only
class MarginalsAndLevels(TypedDict):
    """Marginals of one soft alignment and levels of its events; of G alignments with a leading axis."""

    masses: NDArray[np.float64]  # (M,)
    path: NDArray[np.float64]  # (N,)
    frame_entropy: NDArray[np.float64]  # (N,)
    levels: Levels

@type_check_only
class AlignmentMeasures(MarginalsAndLevels, total=False):
    """The same of one alignment; where h is known, MEASURES by name but for value and entropy."""

    measures: dict[str, float]

@type_check_only
class PairMeasures(MarginalsAndLevels, total=False):
    """The same of one pair at G gammas, MEASURES by name, (G,) each, and the arrays that were asked for."""

    measures: dict[str, NDArray[np.float64]]
    h: _Floats  # (G,N)
    y_mod: _Floats  # (G,N,D)
    H: _Floats  # (G,N,M)

@type_check_only
class Runs(TypedDict):
    """Events, (K,) each, by start, then feature."""

    feature: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

@type_check_only
class BarycenterSums(TypedDict):
    """Sums over I series x_i of shares s_i at the alignments of z with each."""

    objective: float  # sum_i s_i SDTW(z, x_i)
    expected_cost: float  # sum_i |s_i <H_i, C_i>|; 0 where it is not asked for
    mass: NDArray[np.float64]  # sum_i s_i h_i, (N,)
    moved: NDArray[np.float64]  # sum_i s_i h_i Y_mod_i, (N,D)

_Grid: TypeAlias = NDArray[np.float64]
"""A weight or a penalty, (1,1), (N,1), (1,M) or (N,M)."""

_Ends: TypeAlias = _Grid | tuple[NDArray[np.float64] | None, NDArray[np.float64] | None] | None
"""Costs of all cells; those along the border row (M,) and the border column (N,); None: the corner."""

@type_check_only
class FrameSynchronousSettings(TypedDict):
    """Softness, costs of blanks, and costs (K,) that are added to those of classes."""

    gamma: float
    blank_penalty: float
    blank_weight: float
    free_between: bool
    class_costs: NDArray[np.float64] | None
    from_logits: bool

@type_check_only
class ModelArgument(TypedDict):
    """The general model; steps are (frames, targets, weight, penalty)."""

    gamma: float
    steps: Sequence[tuple[int, int, _Grid, _Grid]]
    entry: _Ends
    exit: _Ends
    entry_weight: _Grid | None
    exit_weight: _Grid

@type_check_only
class ModelGradients(TypedDict):
    """Gradients in the shapes of their parameters."""

    step_weights: list[_Grid]
    step_penalties: list[_Grid]
    entry_weight: _Grid | None
    exit_weight: _Grid

@type_check_only
class ModelResult(PairResult, total=False):
    """The same by the general model, with what it alone has."""

    step_posteriors: _Floats  # (S,N,M)
    begin: _Floats  # (N,M)
    end: _Floats  # (N,M)
    visits: NDArray[np.float64]  # (M,)
    gradients: ModelGradients
    path_steps: NDArray[np.int64]  # (L,), -1 where the path begins

@type_check_only
class SetGradients(TypedDict, total=False):
    """Gradients of a weighted sum over all pairs of one or two sets of series, those that were asked for."""

    xs_grad: _Floats  # (I,N,D)
    ys_grad: _Floats  # (J,M,D)
    gamma_grad: float
    step_weights_grad: NDArray[np.float64]  # (3,)

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
def frame_synchronous_padded(
    scores: _Floats,
    *,
    batch_first: bool,
    frames: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
    label_lengths: NDArray[np.int64],
    blank: int | None,
    settings: FrameSynchronousSettings,
    outputs: Sequence[str],
    grad: _Floats | None,
    scale: NDArray[np.float64] | None,
    threads: int | None,
) -> dict[str, NDArray[Any]]:
    """Return `value`, `blank_uses` and the named outputs of CTC, or without a blank of the forward-sum.

    Scores are (T,B,K), or (B,T,K) with `batch_first`; labels lie one after the other. `grad` is written:
    `scale` (B,) times the gradient in the scores. Outputs are "y_mod" (B,T,K), "H" and "E" (B,T,columns),
    "h" (B,T), "durations" (B,columns) and "entropy" (B,). Without a blank the targets of an item are the
    first classes.
    """

def cost_matrix(
    x: NDArray[_Float],
    y: NDArray[_Float],
    *,
    cost: str,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
) -> NDArray[_Float]:
    """Return C(n,m) = c(x_n, y_m), (N,M), computed in float64."""

def read_alignment(
    x: NDArray[_Float],
    y: NDArray[_Float],
    alignment: NDArray[np.float64],
    *,
    cost: str,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    outputs: Sequence[str],
) -> dict[str, NDArray[_Float]]:
    """Return "y_mod", "x_grad" and "y_grad" that follow from H (N,M), whose paths may leave frames out."""

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
    """Return the changes of `value` (B,), `H` (B,N,M) and the gradients of gamma and step weights."""

def tangent_of_pairs_padded(
    x: _Floats,
    y: _Floats,
    x_direction: _Floats | None,
    y_direction: _Floats | None,
    *,
    x_lengths: NDArray[np.int64] | None,
    y_lengths: NDArray[np.int64] | None,
    cost: str,
    gamma: float,
    gamma_direction: float,
    step_weights: tuple[float, float, float],
    step_weights_direction: tuple[float, float, float],
    band: _Band | None,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    outputs: Sequence[str],
    threads: int | None,
) -> dict[str, NDArray[Any]]:
    """Return changes of `value` (B,), `x_grad`, `y_grad`, and for "moments" of the settings' gradients."""

def sharp_padded(
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
) -> dict[str, NDArray[Any]]:
    """Return <H,C> as `value` (B,) and its gradients by name; "moments" stands for those of the settings."""

def sharp_costs_padded(
    costs: NDArray[np.float64],
    *,
    x_lengths: NDArray[np.int64] | None,
    y_lengths: NDArray[np.int64] | None,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    wants_settings: bool,
    threads: int | None,
) -> dict[str, NDArray[np.float64]]:
    """Return <H,C> as `value` (B,) and its gradients: `C_grad` (B,N,M), and those of the settings."""

def costs_ragged(
    costs: Sequence[_Floats],
    *,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    outputs: Sequence[str],
    threads: int | None,
) -> list[PairResult | ValueError | MemoryError]: ...
def model_of_costs(costs: _Floats, *, model: ModelArgument, outputs: Sequence[str]) -> ModelResult: ...
def model_of_classes(
    scores: _Floats,
    targets: NDArray[np.int64],
    *,
    offsets: NDArray[np.float64] | None,
    model: ModelArgument,
    outputs: Sequence[str],
) -> ModelResult:
    """Align by C(n,m) = offset(k) - score(n,k) with k the class of target m."""

def model_of_pair(
    x: _Floats,
    y: _Floats,
    *,
    cost: str,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    model: ModelArgument,
    outputs: Sequence[str],
) -> ModelResult: ...
def models_of_costs(
    costs: Sequence[_Floats], *, models: Sequence[ModelArgument], outputs: Sequence[str], threads: int | None
) -> list[ModelResult | ValueError | MemoryError]: ...
def pairwise_gradients(
    xs: Sequence[NDArray[_Float]],
    ys: Sequence[NDArray[_Float]] | None,
    shares: NDArray[np.float64],
    *,
    cost: str,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    xs_frames: int | None,
    ys_frames: int | None,
    moments: bool,
    threads: int | None,
) -> SetGradients:
    """Return gradients of sum_ij shares(i,j) SDTW(x_i, y_j), padded with zeros to so many frames.

    `ys` of None is xs, whose gradients are then those of both sides; frames of None ask for none. `moments`
    asks for the gradients of gamma and step weights. Pairs without a path, and those of share 0, add nothing.
    """

def pairwise_values(
    xs: Sequence[NDArray[_Float]],
    ys: Sequence[NDArray[_Float]] | None,
    *,
    cost: str,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    may_be_infinite: bool,
    threads: int | None,
) -> NDArray[np.float64]:
    """Return SDTW of every x with every y, (I,J); `ys` of None is xs.

    A pair without a path is an error, or +inf if it may be.
    """

def divergence(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    cost: str,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    threads: int | None,
) -> float: ...
def barycenter_sums(
    z: NDArray[np.float64],
    xs: Sequence[NDArray[np.float64]],
    shares: NDArray[np.float64],
    *,
    cost: str,
    gamma: float,
    step_weights: tuple[float, float, float],
    band: _Band | None,
    feature_weights: NDArray[np.float64] | None,
    pos_weight: NDArray[np.float64] | None,
    wants_expected_cost: bool,
    threads: int | None,
) -> BarycenterSums | tuple[int, ValueError | MemoryError]:
    """Return the sums, or the index of the first series that fails and its error."""

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
def measure_events(
    *,
    peak: NDArray[np.float64],
    duration: NDArray[np.float64],
    onset_fade: NDArray[np.float64],
    offset_fade: NDArray[np.float64],
    widening: NDArray[np.float64],
    threshold: float,
) -> dict[str, float]:
    """Return by name those of MEASURES that follow from the levels of events, (K,) each."""

def quartile_limits(durations: NDArray[np.float64]) -> list[float]:
    """Return the duration up to which events are short, and the one from which on they are long."""

def find_events(y: _Floats) -> Runs: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def use_openmp_team(gomp_parallel: int | None) -> None:
    """Compute on threads of the OpenMP library that has this function (its address); None: on an own pool."""

def uses_openmp_team() -> bool:
    """Return False in a child made by fork(), which has none of its parent's threads."""

def instruction_set() -> str: ...
def available_instruction_sets() -> list[str]: ...
