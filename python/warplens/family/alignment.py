"""The result of an alignment by the general model, computed on first access."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens._alignment import Alignment, Path
from warplens._core import LEAST_ROW_SUM
from warplens._settings import AlignmentSettings
from warplens._step_weights import StepWeights
from warplens.family.model import SDTW_SIZES, Model
from warplens.family.sources import Source
from warplens.family.steps import Step

# What the compiled module is asked for where its name is another.
_ASKED = {
    "gamma_grad": "entropy",
    "step_weights_grad": "gradients",
    "step_penalties_grad": "gradients",
    "path_steps": "path",
}


class ModelAlignment(Alignment):
    """The soft alignment by a model with steps, penalties, beginnings and ends of its own.

    All of `Alignment` holds, with H = dvalue/dC = sum_s w_s U_s + w_0 U_0 + w_x q. Paths may leave frames
    out: where h(n) < 1e-20, H~ and Y_mod are 0, and a frame with h < 0.05 is hardly taught, whatever its
    Y_mod.
    """

    def __init__(
        self,
        model: Model,
        source: Source,
        *,
        settings: AlignmentSettings,
        outputs: list[str],
        x: NDArray[Any] | None = None,
        y: NDArray[Any] | None = None,
        costs: NDArray[Any] | None = None,
    ) -> None:
        results = source.run(model, outputs)
        super().__init__(settings, x=x, y=y, costs=costs, results=results)
        self._model = model
        self._source = source

    @property
    def gamma(self) -> float:
        """The softness; 0 is the hard minimum."""
        return self._model.gamma

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, with weights and penalties as numbers or arrays."""
        return tuple(
            Step(n, m, _plain(weight), _plain(penalty)) for n, m, weight, penalty in self._model.steps
        )

    @property
    def step_weights(self) -> StepWeights:
        """The weights of the horizontal, vertical and diagonal step.

        Raises:
            ValueError: the alignment has other steps; `steps` tells them.
        """
        sizes = tuple((step.n, step.m) for step in self._model.steps)
        if sizes != SDTW_SIZES or any(step.weight.size > 1 for step in self._model.steps):
            raise ValueError("step_weights: the alignment has steps of its own, see `steps`")
        return StepWeights(*(float(step.weight[0, 0]) for step in self._model.steps))

    @property
    def H_tilde(self) -> NDArray[Any]:
        """H~ (N,M) = H / h(n), rows that sum to 1, or to 0 where h(n) < 1e-20."""
        if "H_tilde" not in self._results:
            self._keep("H_tilde", rows_of_one(self.H))
        return self._array("H_tilde")

    def path(self) -> Path:
        """Return the most probable path, that of gamma 0.

        Among ties it begins rather than arrives, else takes the step of the larger n + m, then of the larger
        n, then the first listed; of several ends it takes the first by rows.
        """
        indices = self._result("path")
        return Path(indices, float(self._results["path_value"]), self._results["path_steps"])

    def __repr__(self) -> str:
        n, m = self.shape
        told = f"N={n} M={m} cost={self._cost_name()} gamma={self.gamma:g} steps={len(self._model.steps)}"
        return f"<Alignment {told} value={self.value:.6g}>"

    def _cost_name(self) -> str:
        return self.cost if isinstance(self.cost, str) else ("costs" if self.cost is None else "callable")

    def _compute(self, output: str) -> None:
        asked = _ASKED.get(output, output)
        results = self._source.run(self._model, [asked])
        for name, result in results.items():
            if name == "entropy":
                self._keep("gamma_grad", -result)
            if name == "gradients":
                self._keep("step_weights_grad", _gradient(result["step_weights"]))
                self._keep("step_penalties_grad", _gradient(result["step_penalties"]))
            elif name != "value":
                self._keep(name, result)


def rows_of_one(H: NDArray[Any]) -> NDArray[Any]:
    """Divide each row by its sum; rows whose sum is below 1e-20 become 0."""
    sums = H.sum(axis=1, dtype=np.float64, keepdims=True)
    rows: NDArray[Any] = np.where(sums < LEAST_ROW_SUM, 0.0, H / np.where(sums < LEAST_ROW_SUM, 1.0, sums))
    return rows.astype(H.dtype)


def _plain(parameter: NDArray[np.float64]) -> float | NDArray[np.float64]:
    return float(parameter[0, 0]) if parameter.size == 1 else parameter


def _gradient(of_steps: list[NDArray[np.float64]]) -> NDArray[np.float64] | tuple[NDArray[np.float64], ...]:
    if all(gradient.size == 1 for gradient in of_steps):
        return np.concatenate(of_steps).ravel()
    return tuple(of_steps)
