"""Precisions, outputs and options of the NumPy calls beside the plain float32 call, one thread.

The plain call is `align` (value, h, Y_mod, x_grad) on the same pair or, for what gives a value alone,
`soft_dtw`. An output that is computed on first access is timed as that: one more call on a fresh `Alignment`.
"""

import math
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import warplens as wl

from ..workloads import Workload
from .comparison import (
    MOST_ERROR_OF_FLOAT32,
    MOST_ERROR_OF_FLOAT64,
    Comparison,
    ComparisonRow,
    TimedCall,
    WrongResultError,
    compare,
    error_of,
)
from .reference import Reference, band_mask, reference, value

RADIUS = 0.1
"""Radius of the band, as a share of the longer sequence."""
SHARE_OF_HOLES = 0.05
"""Share of the costs that are +inf."""

GOALS: dict[str, float | dict[str, float]] = {
    "align, float64": 3.0,
    "value, float64": 3.0,
    "entropy": 2.5,
    "entropy, float64": 7.0,
    "gamma_grad": 2.5,
    "y_grad": {"W1": 2.8, "W2": 2.5, "W4": 2.5},
    "step_weights_grad": 3.0,
    "path": 3.0,
    "H": 3.5,
    "band, 10 %": {"W1": 0.9, "W2": 0.6, "W4": 0.5},
    "band, 10 %, float64": {"W4": 0.3},
    "hard DTW": 2.0,
    "hard DTW, float64": 2.0,
    "ce_logits": {"W1": 2.0, "W2": 2.0},
    "cosine": {"W1": 2.0, "W2": 2.0},
    "euclidean": {"W1": 4.0, "W2": 2.0, "W4": 2.0},
    "l1": {"W1": 4.0, "W2": 2.0, "W4": 2.0},
    "feature weights": 2.0,
}
"""Greatest ratio of each call to its plain call, by workload where it differs; other calls have none."""

OTHER_COSTS = ("ce_logits", "cosine", "euclidean", "l1")


def run(shrink: int, rounds: int, progress: Callable[[str], None]) -> list[ComparisonRow]:
    """Return a row for each call on each pair.

    Raises:
        WrongResultError: A result is not that of the reference.
    """
    threads = wl.get_num_threads()
    wl.set_num_threads(1)
    try:
        return [
            row for workload in workloads(shrink) for row in compare(_comparisons(workload), rounds, progress)
        ]
    finally:
        wl.set_num_threads(threads)


def workloads(shrink: int) -> list[Workload]:
    """Return one pair each of the sizes of W1, W2 and W4; `shrink` divides N and M."""

    def size(n: int, m: int) -> tuple[tuple[int, int], ...]:
        return ((max(4, n // shrink), max(4, m // shrink)),)

    return [
        Workload("W1", size(861, 100), 88, "bce", step_weights=(0.1, 1.0, 1.0), seed=1),
        Workload("W2", size(512, 512), 64, "mse", seed=2),
        Workload("W4", size(1024, 1024), 1, "mse", seed=4),
    ]


class _Pair:
    """One pair, the calls on it, and what they must return."""

    def __init__(self, workload: Workload, x: NDArray[Any], y: NDArray[Any], cost: str) -> None:
        self.workload = workload
        self.x, self.y, self.cost = x, y, cost
        self.settings: dict[str, Any] = {
            "cost": cost,
            "gamma": workload.gamma,
            "step_weights": workload.step_weights,
        }

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """C (N,M) of the float32 frames, in float64."""
        x, y = self.x.astype(np.float64), self.y.astype(np.float64)
        C: NDArray[np.float64] = wl.cost_matrix(x, y, cost=self.cost)
        return C

    @cached_property
    def reference(self) -> Reference:
        """Derivatives by the reference."""
        return self.reference_of(self.costs)

    def reference_of(self, costs: NDArray[np.float64]) -> Reference:
        """Return derivatives by the reference for other costs."""
        return reference(costs, self.workload.gamma, self.workload.step_weights)

    @cached_property
    def hard_value(self) -> float:
        """Accumulated cost of the best path."""
        return value(self.costs, 0.0, self.workload.step_weights)

    @property
    def band(self) -> wl.SakoeChiba:
        """The band of 10 % of the longer sequence, or the narrowest that leaves a path."""
        n, m = sorted(self.costs.shape)
        return wl.SakoeChiba(max(round(RADIUS * m), math.ceil((m - 1) / max(1, n - 1))))

    @property
    def expected(self) -> dict[str, Any]:
        """Results of `align`, and the outputs computed on first access."""
        H = self.reference.H
        return {
            "value": self.reference.value,
            "h": self.reference.h,
            "y_mod": H @ self.y.astype(np.float64) / self.reference.h[:, None],
            "H": H,
            "entropy": self.reference.entropy,
            "gamma_grad": -self.reference.entropy,
            "step_weights_grad": self.reference.step_weights_grad,
            "y_grad": self._y_grad(),
        }

    def _y_grad(self) -> NDArray[np.float64]:
        x, y, H = self.x.astype(np.float64), self.y.astype(np.float64), self.reference.H
        if self.cost == "bce":
            return -H.T @ (np.log(x) - np.log1p(-x))
        return H.sum(axis=0)[:, None] * y - H.T @ x

    def align(self, dtype: DTypeLike = np.float32, **options: Any) -> wl.Alignment:
        """Call `align` on the frames in a precision."""
        return wl.align(self.x.astype(dtype), self.y.astype(dtype), **self.settings, **options)

    def call(self, function: Callable[..., Any], dtype: DTypeLike, **options: Any) -> TimedCall:
        """Return the call of a function of x and y, on frames that are converted before."""
        x, y = self.x.astype(dtype), self.y.astype(dtype)
        return TimedCall(partial(function, x, y, **{**self.settings, **options}))


def _most_error(dtype: DTypeLike) -> float:
    return MOST_ERROR_OF_FLOAT64 if dtype == np.float64 else MOST_ERROR_OF_FLOAT32


def _name(call: str, dtype: DTypeLike) -> str:
    return f"{call}, float64" if dtype == np.float64 else call


def _comparisons(workload: Workload) -> list[Comparison]:
    (x,), (y,) = workload.data
    pair = _Pair(workload, x, y, workload.cost)
    _check_aligned(pair, np.float32)
    _check_value(pair, np.float32)
    rows = [*_precisions(pair), *_second_calls(pair), *_bands(pair), *_hard(pair), _masked(pair)]
    return [*rows, *_other_costs(pair), _feature_weights(pair)]


def _comparison(
    pair: _Pair, name: str, timed: TimedCall, against: str, plain: TimedCall, check: Callable[[], float]
) -> Comparison:
    workload = pair.workload
    goal = GOALS.get(name)
    if isinstance(goal, dict):
        goal = goal.get(workload.name)
    return Comparison(workload.title, name, timed, against, plain, check, goal)


def _check_aligned(pair: _Pair, dtype: DTypeLike) -> float:
    got = pair.align(dtype)
    expected = {name: pair.expected[name] for name in ("value", "h", "y_mod")}
    found = {name: getattr(got, name) for name in expected}
    return error_of(_name("align", dtype), found, expected, _most_error(dtype))


def _check_value(pair: _Pair, dtype: DTypeLike) -> float:
    got = wl.soft_dtw(pair.x.astype(dtype), pair.y.astype(dtype), **pair.settings)
    return error_of(
        _name("value", dtype), {"value": got}, {"value": pair.reference.value}, _most_error(dtype)
    )


def _precisions(pair: _Pair) -> Iterator[Comparison]:
    for name, function, check in (("align", wl.align, _check_aligned), ("value", wl.soft_dtw, _check_value)):
        yield _comparison(
            pair,
            f"{name}, float64",
            pair.call(function, np.float64),
            f"{name}, float32",
            pair.call(function, np.float32),
            partial(check, pair, np.float64),
        )


def _second_calls(pair: _Pair) -> Iterator[Comparison]:
    plain = pair.call(wl.align, np.float32)
    outputs = [
        (name, np.float32) for name in ("entropy", "y_grad", "step_weights_grad", "gamma_grad", "path", "H")
    ]
    for output, dtype in [*outputs, ("entropy", np.float64)]:

        def read(alignment: wl.Alignment, output: str = output) -> Any:
            return alignment.path() if output == "path" else getattr(alignment, output)

        def check(read: Any = read, output: str = output, dtype: DTypeLike = dtype) -> float:
            got = read(pair.align(dtype))
            if output == "path":
                return _check_path(pair, got, dtype)
            return error_of(output, {output: got}, {output: pair.expected[output]}, _most_error(dtype))

        fresh = TimedCall(read, lambda dtype=dtype: (pair.align(dtype),))
        yield _comparison(pair, _name(output, dtype), fresh, "align, float32", plain, check)


def _check_path(pair: _Pair, path: wl.Path, dtype: DTypeLike) -> float:
    """Check that the path is one, that its costs sum to its value, and that no path has less."""
    steps = np.diff(path.indices, axis=0, prepend=[[-1, -1]])
    weights = dict(zip(((1, 0), (0, 1), (1, 1)), pair.workload.step_weights, strict=True))
    kinds = [(int(n), int(m)) for n, m in steps]
    if not set(kinds) <= weights.keys() or tuple(path.indices[-1] + 1) != pair.costs.shape:
        raise WrongResultError(f"{pair.workload.title}: the path is none from corner to corner")
    along = float(np.dot([weights[kind] for kind in kinds], pair.costs[tuple(path.indices.T)]))
    found = {"path_value": path.value, "along": along}
    return error_of("path", found, dict.fromkeys(found, pair.hard_value), _most_error(dtype))


def _bands(pair: _Pair) -> Iterator[Comparison]:
    allowed = band_mask(*pair.costs.shape, pair.band.radius)
    for dtype in (np.float32, np.float64):

        def check(dtype: DTypeLike = dtype) -> float:
            exact = pair.reference_of(np.where(allowed, pair.costs, np.inf))
            got = pair.align(dtype, band=pair.band)
            return error_of(
                "band",
                {"value": got.value, "h": got.h},
                {"value": exact.value, "h": exact.h},
                _most_error(dtype),
            )

        yield _comparison(
            pair,
            _name("band, 10 %", dtype),
            pair.call(wl.align, dtype, band=pair.band),
            f"align, {np.dtype(dtype)}",
            pair.call(wl.align, dtype),
            check,
        )


def _hard(pair: _Pair) -> Iterator[Comparison]:
    settings: dict[str, Any] = {"cost": pair.cost, "step_weights": pair.workload.step_weights}
    for dtype in (np.float32, np.float64):
        timed = TimedCall(partial(wl.hard_dtw, pair.x.astype(dtype), pair.y.astype(dtype), **settings))
        yield _comparison(
            pair,
            _name("hard DTW", dtype),
            timed,
            f"value, {np.dtype(dtype)}",
            pair.call(wl.soft_dtw, dtype),
            lambda timed=timed, dtype=dtype: _check_path(pair, timed.call(), dtype),
        )


def _masked(pair: _Pair) -> Comparison:
    """Compare costs with holes of +inf, off the line between the corners, with the same costs without."""
    n, m = pair.costs.shape
    holes = np.random.default_rng(0).random((n, m)) < SHARE_OF_HOLES
    holes &= ~band_mask(n, m, max(n, m) / min(n, m))
    costs = pair.costs.astype(np.float32)
    masked = np.where(holes, np.float32(np.inf), costs)
    settings: dict[str, Any] = {"gamma": pair.workload.gamma, "step_weights": pair.workload.step_weights}

    def check() -> float:
        got = wl.align_costs(masked, **settings)
        exact = pair.reference_of(masked.astype(np.float64))
        return error_of(
            "+inf costs",
            {"value": got.value, "H": got.H},
            {"value": exact.value, "H": exact.H},
            MOST_ERROR_OF_FLOAT32,
        )

    return _comparison(
        pair,
        f"+inf in {100 * SHARE_OF_HOLES:g} % of a cost matrix",
        TimedCall(partial(wl.align_costs, masked, **settings)),
        "align_costs, float32",
        TimedCall(partial(wl.align_costs, costs, **settings)),
        check,
    )


def _other_costs(plain: _Pair) -> Iterator[Comparison]:
    """Compare other costs with the pair's own; over one feature `ce_logits` and `cosine` mean nothing."""
    for cost in OTHER_COSTS:
        if plain.workload.features == 1 and cost in ("ce_logits", "cosine"):
            continue
        pair = _pair_of_cost(plain.workload, cost)

        def check(pair: _Pair = pair, cost: str = cost) -> float:
            got, exact = pair.align(), pair.reference
            return error_of(
                cost,
                {"value": got.value, "h": got.h},
                {"value": exact.value, "h": exact.h},
                MOST_ERROR_OF_FLOAT32,
            )

        yield _comparison(
            pair,
            cost,
            pair.call(wl.align, np.float32),
            f"align, {plain.cost}, float32",
            plain.call(wl.align, np.float32),
            check,
        )


def _feature_weights(pair: _Pair) -> Comparison:
    """Compare weights of the features with none; they are 1, so that the results are those of none."""
    weights = np.ones(pair.workload.features)

    def check() -> float:
        got, exact = pair.align(feature_weights=weights), pair.reference
        return error_of(
            "feature weights",
            {"value": got.value, "h": got.h},
            {"value": exact.value, "h": exact.h},
            MOST_ERROR_OF_FLOAT32,
        )

    return _comparison(
        pair,
        "feature weights",
        pair.call(wl.align, np.float32, feature_weights=weights),
        "align, float32",
        pair.call(wl.align, np.float32),
        check,
    )


def _pair_of_cost(workload: Workload, cost: str) -> _Pair:
    """Return logits and multi-hot targets for `ce_logits`, N(0,1) frames for distances."""
    data = Workload(
        workload.name,
        workload.sizes,
        workload.features,
        "bce_logits" if cost == "ce_logits" else "mse",
        seed=workload.seed,
    ).data
    return _Pair(workload, data[0][0], data[1][0], cost)
