"""Where the costs of a model come from: a matrix, two sequences, or scores of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from warplens import _core
from warplens._settings import AlignmentSettings
from warplens.family.model import Model


class Source(Protocol):
    """Costs, ready to be aligned."""

    def run(self, model: Model, outputs: list[str]) -> dict[str, Any]:
        """Align by the model and return what is asked for by name."""
        ...


@dataclass(frozen=True)
class MatrixSource:
    """A checked cost matrix (N,M)."""

    costs: NDArray[Any]

    def run(self, model: Model, outputs: list[str]) -> dict[str, Any]:
        """Align by the model and return what is asked for by name."""
        return dict(_core.model_of_costs(self.costs, model=model.argument(), outputs=outputs))


@dataclass(frozen=True)
class PairSource:
    """Checked sequences x (N,D) and y (M,D) under a named cost."""

    x: NDArray[Any]
    y: NDArray[Any]
    settings: AlignmentSettings

    def run(self, model: Model, outputs: list[str]) -> dict[str, Any]:
        """Align by the model and return what is asked for by name."""
        arguments = self.settings.cost_arguments(self.x.shape[1])
        return dict(_core.model_of_pair(self.x, self.y, **arguments, model=model.argument(), outputs=outputs))


@dataclass(frozen=True)
class ClassSource:
    """Scores (N,K), the class k of each target (M,), and offsets (K,): C(n,m) = offset(k) - score(n,k)."""

    scores: NDArray[Any]
    targets: NDArray[np.int64]
    offsets: NDArray[np.float64] | None

    def run(self, model: Model, outputs: list[str]) -> dict[str, Any]:
        """Align by the model and return what is asked for by name."""
        return dict(
            _core.model_of_classes(
                self.scores, self.targets, offsets=self.offsets, model=model.argument(), outputs=outputs
            )
        )
