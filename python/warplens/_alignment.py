"""The result of a soft alignment, computed on first access."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._compute import compute_one, no_modified_targets
from ._core import LEAST_ROW_SUM
from ._costs import CostFunction
from ._settings import AlignmentSettings
from ._step_weights import StepWeights

# Results that one sweep yields together.
_MOMENTS = ("gamma_grad", "step_weights_grad")


class Path(NamedTuple):
    """A warping path.

    Attributes:
        indices: (L,2) int64, cells (n,m) from (0,0) to (N-1,M-1), zero-based.
        value: the accumulated cost along the path.
    """

    indices: NDArray[np.int64]
    value: float


class Alignment:
    """The soft alignment of x (N,D) and y (M,D), or of a cost matrix C (N,M).

    With n = 1..N prediction frames, m = 1..M target frames and D(n,m) the accumulated cost,

        SDTW = D(N,M),   H = dSDTW/dC,   h(n) = sum_m H(n,m),   H~ = H / h(n),   Y_mod = H~ Y

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

    def path(self) -> Path:
        """Return the most probable path, that of hard DTW (ties: diagonal, horizontal, vertical)."""
        indices = self._result("path")
        return Path(indices, float(self._results["path_value"]))

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
            self._compute("moments" if name in _MOMENTS else name)
        return self._results[name]

    def _compute(self, output: str) -> None:
        # The path is that of hard DTW at any gamma, which takes one sweep without the other.
        settings = replace(self._settings, gamma=0.0) if output == "path" else self._settings
        results = compute_one(
            settings,
            x=self._x,
            y=self._y,
            costs=self._costs,
            outputs=[output],
            threads=self._threads,
        )
        self._results.update({name: _frozen(result) for name, result in results.items() if name != "value"})

    def _needs_sequences(self, name: str) -> None:
        if self._x is None:
            raise ValueError(f"{name}: a cost matrix alone does not tell the sequences; use align(x, y)")

    def _needs_gradient(self, name: str) -> None:
        self._needs_sequences(name)
        if callable(self._settings.cost):
            raise ValueError(
                f"{name}: the gradient of a callable cost is not known; chain H = dSDTW/dC with your own"
            )


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _frozen(result: Any) -> Any:
    if isinstance(result, np.ndarray):
        result.flags.writeable = False
    return result
