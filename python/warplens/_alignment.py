"""The result of a soft alignment, computed on first access."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._compute import compute_one, no_modified_targets
from ._core import LEAST_ROW_SUM
from ._costs import CostFunction
from ._looks import events_of, figure_of, html_of
from ._settings import AlignmentSettings
from ._step_weights import StepWeights
from .family.model import Model, sdtw_steps
from .family.sources import MatrixSource, PairSource, Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Results that one sweep yields together.
_MOMENTS = ("gamma_grad", "step_weights_grad")

# Results that only the general model yields.
_OF_MODEL = ("step_posteriors", "begin", "end", "visits")


class Path(NamedTuple):
    """A warping path.

    Attributes:
        indices: (L,2) int64, cells (n,m) from where the path begins to where it ends, zero-based.
        value: the accumulated cost along the path.
        steps: (L,) int64, the step that arrives at each cell (horizontal, vertical, diagonal or as listed),
            -1 where the path begins.
    """

    indices: NDArray[np.int64]
    value: float
    steps: NDArray[np.int64]


class Alignment:
    r"""The soft alignment of x (N,D) and y (M,D), or of a cost matrix C (N,M).

    With n = 1..N prediction frames, m = 1..M target frames and D(n,m) the accumulated cost,

    .. math::
        \mathrm{SDTW} = D(N,M),\quad H = \frac{\partial\,\mathrm{SDTW}}{\partial C},\quad
        h(n) = \sum_m H(n,m)

    .. math::
        \tilde H(n,m) = \frac{H(n,m)}{h(n)},\quad Y_\mathrm{mod} = \tilde H\, Y

    (Zeitler & Mueller, ISMIR 2025, eqs. 9 to 17). What `align` did not compute is computed on first access
    from read-only references to the inputs, which must not be changed in between.
    """

    def __init__(
        self,
        settings: AlignmentSettings,
        *,
        x: NDArray[Any] | None = None,
        y: NDArray[Any] | None = None,
        costs: NDArray[Any] | None = None,
        results: dict[str, Any],
        threads: int | None = None,
    ) -> None:
        self._settings = settings
        self._x = None if x is None else _read_only(x)
        self._y = None if y is None else _read_only(y)
        self._costs = None if costs is None else _read_only(costs)
        self._results = {name: _frozen(result) for name, result in results.items()}
        self._threads = threads

    @property
    def value(self) -> float:
        """SDTW = D(N,M); can be negative: the soft minimum over many paths lies below the least of them."""
        return float(self._results["value"])

    @property
    def gamma(self) -> float:
        """The softness; 0 is hard DTW."""
        return self._settings.gamma

    @property
    def step_weights(self) -> StepWeights:
        """The step weights of the recursion."""
        return self._settings.step_weights

    @property
    def cost(self) -> str | CostFunction | None:
        """The local cost, None where a cost matrix was given."""
        return self._settings.cost if self._x is not None else None

    @property
    def shape(self) -> tuple[int, int]:
        """(N, M)."""
        if self._x is not None and self._y is not None:
            return len(self._x), len(self._y)
        assert self._costs is not None
        n, m = self._costs.shape
        return n, m

    @property
    def H(self) -> NDArray[Any]:
        """H (N,M) = dSDTW/dC, the soft alignment."""
        return self._array("H")

    @property
    def h(self) -> NDArray[Any]:
        """h (N,), the row sums of H: the weight of each frame in the gradient."""
        return self._array("h")

    @property
    def H_tilde(self) -> NDArray[Any]:
        """H~ (N,M) = H / h(n), rows that sum to 1.

        A row with h(n) < 1e-20 (every step into it is free) takes E(n,.) / sum E(n,.) instead.
        """
        if "H_tilde" not in self._results:
            # By its own sums, not by h: where h is tiny, another sweep's rounding would show.
            sums = self.H.sum(axis=1, dtype=np.float64)
            rows = (self.H / np.where(sums < LEAST_ROW_SUM, 1, sums)[:, np.newaxis]).astype(self.H.dtype)
            empty = np.flatnonzero(sums < LEAST_ROW_SUM)
            if empty.size:
                rows[empty] = self.E[empty] / self.E[empty].sum(axis=1, keepdims=True)
            self._results["H_tilde"] = _frozen(rows)
        return self._array("H_tilde")

    @property
    def E(self) -> NDArray[Any]:
        """E (N,M), the probability that the random path visits a cell; equal to H for unit weights."""
        return self._array("E")

    @property
    def y_mod(self) -> NDArray[Any]:
        """Y_mod (N,D) = H~ Y, strongly aligned targets that give the network the same update (eqs. 14, 17).

        Raises:
            ValueError: the cost is not affine in the target, or only a cost matrix was given.
        """
        self._needs_sequences("y_mod")
        if not self._settings.has_modified_targets:
            raise no_modified_targets(self._settings)
        return self._array("y_mod")

    @property
    def x_grad(self) -> NDArray[Any]:
        """dSDTW/dx (N,D)."""
        self._needs_gradient("x_grad")
        return self._array("x_grad")

    @property
    def y_grad(self) -> NDArray[Any]:
        """dSDTW/dy (M,D)."""
        self._needs_gradient("y_grad")
        return self._array("y_grad")

    @property
    def entropy(self) -> float:
        """S >= 0, the entropy in nats of the distribution of paths."""
        return float(self._result("entropy"))

    @property
    def gamma_grad(self) -> float:
        """dSDTW/dgamma = -S."""
        return float(self._result("gamma_grad"))

    @property
    def step_weights_grad(self) -> NDArray[np.float64]:
        """dSDTW/dw (3,) = sum C E p for the horizontal, vertical and diagonal step."""
        return self._array("step_weights_grad")

    @property
    def step_posteriors(self) -> NDArray[Any]:
        """U (S,N,M), the probability that the path arrives at a cell by each step; E = sum_s U_s + begin."""
        return self._array("step_posteriors")

    @property
    def begin(self) -> NDArray[Any]:
        """(N,M), the probability that the path begins at a cell; sums to 1."""
        return self._array("begin")

    @property
    def end(self) -> NDArray[Any]:
        """(N,M), the probability that the path ends at a cell; sums to 1."""
        return self._array("end")

    @property
    def visits(self) -> NDArray[np.float64]:
        """(M,), the column sums of E: the expected number of frames at each target."""
        return self._array("visits")

    @property
    def step_penalties_grad(self) -> NDArray[np.float64] | tuple[NDArray[np.float64], ...]:
        """dvalue/db, the expected use of each step: (S,), or arrays where penalties are arrays."""
        grad: NDArray[np.float64] | tuple[NDArray[np.float64], ...] = self._result("step_penalties_grad")
        return grad

    def path(self) -> Path:
        """Return the most probable path, that of hard DTW (ties: diagonal, horizontal, vertical)."""
        indices = self._result("path")
        return Path(indices, float(self._results["path_value"]), steps_between(indices))

    def events(self, threshold: float = 0.5) -> NDArray[Any]:
        """Return what the modified targets keep of each event of the weak target.

        An event is a maximal run [start, stop) of target frames with y(m,d) > 0 for one feature d; its level
        is e(n) = sum_{start <= m < stop} H~(n,m) y(m,d).

        Args:
            threshold: level from 0 to 1 under which an event counts as lost.

        Returns:
            One record an event, ordered by start, then feature: `feature`, `start`, `stop`, `peak` (the
            greatest level), `peak_frame`, `duration` (the sum of its levels, in frames), `lost`.

        Raises:
            ValueError: only a cost matrix was given, the targets are classes, or the threshold is out of
                range.

        Example:
            >>> import numpy as np, warplens as wl
            >>> y = np.array([[1.0, 0.0], [0.0, 1.0]])
            >>> wl.align(y[[0, 0, 1]], y, gamma=0.1).events()["lost"].tolist()
            [False, False]
        """
        self._needs_sequences("events")
        if self._y is None:
            raise ValueError("events: the targets are classes; `visits` and `y_mod` tell of them")
        return events_of(self, self._y, threshold)

    def plot(self, *, fps: float | None = None, lowest_pitch: int | None = None) -> Figure:
        """Draw the soft alignment and, where the cost has them, weak and modified targets side by side.

        Args:
            fps: prediction frames a second; None counts frames.
            lowest_pitch: MIDI number of feature 0; None counts features.

        Returns:
            A `matplotlib.figure.Figure`, which notebooks show.

        Raises:
            ModuleNotFoundError: matplotlib is not installed (extra `display`).
        """
        return figure_of(self, fps=fps, lowest_pitch=lowest_pitch)

    def _weak_and_modified(self) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """Return Y (M,D) and Y_mod (N,D), or None where there are no modified targets of sequences."""
        if self._y is None or not self._settings.has_modified_targets:
            return None
        return self._y, self.y_mod

    def _repr_html_(self) -> str:
        return html_of(self)

    def __repr__(self) -> str:
        n, m = self.shape
        cost = self.cost if isinstance(self.cost, str) else ("costs" if self.cost is None else "callable")
        weights = ", ".join(f"{weight:g}" for weight in self.step_weights)
        told = f"N={n} M={m} cost={cost} gamma={self.gamma:g} weights=({weights}) value={self.value:.6g}"
        return f"<Alignment {told}>"

    def _array(self, name: str) -> NDArray[Any]:
        array: NDArray[Any] = self._result(name)
        return array

    def _result(self, name: str) -> Any:
        if name not in self._results:
            self._compute(name)
        return self._results[name]

    def _keep(self, name: str, result: Any) -> None:
        self._results[name] = _frozen(result)

    def _compute(self, output: str) -> None:
        if output == "step_penalties_grad":
            self._keep(output, self.step_posteriors.sum(axis=(1, 2), dtype=np.float64))
            return
        if output in _OF_MODEL:
            model = Model.of(self.shape, gamma=self.gamma, steps=sdtw_steps(self.step_weights))
            self._keep(output, self._source_of_model().run(model, [output])[output])
            return
        # The path is that of hard DTW at any gamma, which takes one sweep without the other.
        settings = replace(self._settings, gamma=0.0) if output == "path" else self._settings
        results = compute_one(
            settings,
            x=self._x,
            y=self._y,
            costs=self._costs,
            outputs=["moments" if output in _MOMENTS else output],
            threads=self._threads,
        )
        self._results.update({name: _frozen(result) for name, result in results.items() if name != "value"})

    def _source_of_model(self) -> Source:
        if self._settings.band is not None:
            # No path comes where E is 0, outside the band for one.
            costs = self._costs if self._costs is not None else _costs_of(self._settings, self._x, self._y)
            return MatrixSource(np.where(self.E > 0, costs, np.asarray(np.inf, costs.dtype)))
        if self._costs is not None:
            return MatrixSource(self._costs)
        assert self._x is not None
        assert self._y is not None
        return PairSource(self._x, self._y, self._settings)

    def _needs_sequences(self, name: str) -> None:
        if self._x is None:
            raise ValueError(f"{name}: a cost matrix alone does not tell the sequences; use align(x, y)")

    def _needs_gradient(self, name: str) -> None:
        self._needs_sequences(name)
        if callable(self._settings.cost):
            raise ValueError(
                f"{name}: the gradient of a callable cost is not known; chain H = dSDTW/dC with your own"
            )


def steps_between(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the step that arrives at each cell: 0 horizontal, 1 vertical, 2 diagonal, -1 at the first."""
    n, m = np.diff(indices, axis=0).T
    return np.concatenate([[-1], m + n * m]).astype(np.int64)


def _costs_of(settings: AlignmentSettings, x: NDArray[Any] | None, y: NDArray[Any] | None) -> NDArray[Any]:
    assert x is not None
    assert y is not None
    costs: NDArray[Any] = _core.cost_matrix(x, y, **settings.cost_arguments(x.shape[1]))
    return costs


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _frozen(result: Any) -> Any:
    if isinstance(result, np.ndarray):
        result.flags.writeable = False
    return result
