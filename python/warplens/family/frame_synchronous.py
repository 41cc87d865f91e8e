"""Classes along labels, and whether the frame-synchronous kernel or the general one aligns with them.

In the graph of CTC and of the forward sum every step advances one frame. The frame-synchronous kernel takes
about 1 ns a cell where the general one takes many times as long, but knows fewer settings and outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from warplens import _core
from warplens.family.label_graph import PLAIN, BlankSettings
from warplens.family.model import Model
from warplens.family.sources import ClassSource

# Outputs of the kernel, by the names that it has for them.
_OF_KERNEL = {"h": "h", "H": "H", "E": "E", "y_mod": "y_mod", "visits": "durations", "entropy": "entropy"}
# Every path begins in the first frame and ends in the last: rows of E.
_ROWS_OF_E = {"begin": 0, "end": -1}

_OF_SCORES_DTYPE = ("h", "H", "E", "y_mod", "x_grad", "step_posteriors", "begin", "end")

_RANGE_OF_GAMMA = (1e-20, 1e20)
"""Softness at which scores over gamma are far from the ends of float32 and float64."""

_LEAST_BLANK_WEIGHT = 0.1
"""With less a frame can weigh so little that its target is a quotient of roundings of the kernel."""


@dataclass(frozen=True)
class LabelSource:
    """Scores of classes along labels: by the frame-synchronous kernel where it goes, else by the general one.

    Attributes:
        classes: the scores and the class of each column, as the general kernel takes them.
        blank: the class of blanks, which are the even columns; None: the columns are all classes in order.
        blanks: costs of blanks.
        dtype: of arrays (N,...) that result; None: that of the scores.
    """

    classes: ClassSource
    blank: int | None
    blanks: BlankSettings = PLAIN
    dtype: np.dtype[Any] | None = None

    def goes_by_kernel(self, model: Model) -> bool:
        """Tell if the frame-synchronous kernel takes the settings: soft minima and step weights of 1."""
        least, most = _RANGE_OF_GAMMA
        weighs = self.blanks.weight is None or self.blanks.weight >= _LEAST_BLANK_WEIGHT
        return least <= model.gamma <= most and weighs and self.blanks.step_weights == PLAIN.step_weights

    def run(self, model: Model, outputs: list[str]) -> dict[str, Any]:
        """Align by the model and return what is asked for by name."""
        found = self._run(model, outputs)
        if self.dtype is None:
            return found
        narrowed = (name for name in found if name in _OF_SCORES_DTYPE)
        return found | {name: found[name].astype(self.dtype, copy=False) for name in narrowed}

    def _run(self, model: Model, outputs: list[str]) -> dict[str, Any]:
        if not self.goes_by_kernel(model):
            return self.classes.run(model, outputs)
        ours = [name for name in outputs if name in _OF_KERNEL or name in _ROWS_OF_E or name == "x_grad"]
        others = [name for name in outputs if name not in ours]
        found: dict[str, Any] = {}
        if ours or not others:
            found = self._by_kernel(model.gamma, ours)
            if not math.isfinite(found["value"]):
                # No path, or costs beyond the range of the kernel.
                return self.classes.run(model, outputs)
        return (self.classes.run(model, others) if others else {}) | found

    def _by_kernel(self, gamma: float, outputs: list[str]) -> dict[str, Any]:
        scores = self.classes.scores
        labels = None if self.blank is None else self.classes.targets[1::2]
        grad = np.empty_like(scores) if "x_grad" in outputs else None
        asked = [_OF_KERNEL[name] for name in outputs if name in _OF_KERNEL]
        if "E" not in asked and any(name in _ROWS_OF_E for name in outputs):
            asked.append("E")
        blanks = self.blanks
        results = _core.frame_synchronous_padded(
            scores[np.newaxis],
            batch_first=True,
            frames=np.array([len(scores)]),
            labels=labels,
            label_lengths=np.array([len(self.classes.targets) if labels is None else len(labels)]),
            blank=self.blank,
            settings={
                "gamma": gamma,
                "blank_penalty": blanks.penalty,
                "blank_weight": 1.0 if blanks.weight is None else blanks.weight,
                "free_between": blanks.free_between,
                "class_costs": self.classes.offsets,
                "from_logits": False,
            },
            outputs=asked,
            grad=None if grad is None else grad[np.newaxis],
            scale=None,
            threads=None,
        )
        found = {name: results[_OF_KERNEL[name]][0] for name in outputs if name in _OF_KERNEL}
        for name, row in _ROWS_OF_E.items():
            if name in outputs:
                found[name] = np.zeros_like(results["E"][0])
                found[name][row] = results["E"][0, row]
        if grad is not None:
            found["x_grad"] = grad
        return found | {"value": float(results["value"][0])}
