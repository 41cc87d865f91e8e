"""CTC with multi-hot targets (Weiss & Peeters 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens._core import LEAST_ROW_SUM
from warplens._sequences import as_real_array
from warplens._settings import AlignmentSettings
from warplens._step_weights import UNIT_WEIGHTS
from warplens.family.alignment import ModelAlignment
from warplens.family.ctc import warn_of_rows
from warplens.family.label_graph import BlankSettings, label_model
from warplens.family.model import Model
from warplens.family.sources import MatrixSource

ENCODINGS = {"we": 2, "ne3": 3, "ne2": 2}
"""The number of components of each category under an encoding."""


class MultiLabelAlignment(ModelAlignment):
    """The alignment of log-probabilities (N,A,K) of A categories with multi-hot targets.

    h (N,A) is one weight for each frame and category, y_mod (N,A,K) what each category is taught there, and
    x_grad (N,A,K) = -h y_mod is dvalue/dlog_probs; H and E (N,2M+1) are over blank, target 1, blank, ...,
    blank.
    """

    def __init__(
        self, model: Model, costs: NDArray[Any], log_probs: NDArray[Any], expanded: NDArray[np.float64]
    ) -> None:
        settings = AlignmentSettings.of(cost="mse", gamma=model.gamma, step_weights=UNIT_WEIGHTS)
        super().__init__(model, MatrixSource(costs), settings=settings, outputs=["H"], costs=costs)
        self._log_probs = log_probs
        self._expanded = expanded
        occupancy = (self.H.astype(np.float64) @ expanded.reshape(len(expanded), -1)).reshape(log_probs.shape)
        h = occupancy.sum(axis=-1)
        y_mod = occupancy / np.where(h < LEAST_ROW_SUM, np.inf, h)[..., np.newaxis]
        for name, array in (("h", h), ("y_mod", y_mod), ("x_grad", -occupancy)):
            self._keep(name, array.astype(log_probs.dtype))

    @property
    def cost(self) -> str:
        """The name of the loss."""
        return "multi_label_ctc"

    @property
    def expanded(self) -> NDArray[np.float64]:
        """The expanded targets w (2M+1,A,K), C(n,m) = -<log_probs(n), w(m)>."""
        return self._expanded

    @property
    def y_mod(self) -> NDArray[Any]:
        """Y_mod (N,A,K): for each category a convex combination of targets; 0 where its h is below 1e-20."""
        return self._array("y_mod")

    @property
    def x_grad(self) -> NDArray[Any]:
        """dvalue/dlog_probs (N,A,K)."""
        return self._array("x_grad")

    @property
    def y_grad(self) -> NDArray[Any]:
        """Not there.

        Raises:
            ValueError: always, for targets are classes.
        """
        raise ValueError("y_grad: the targets are classes, which have no gradient")


def multi_label_ctc(
    log_probs: ArrayLike,
    y: ArrayLike,
    *,
    encoding: str = "we",
    gamma: float = 1.0,
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    blank_penalty: float = 0.0,
    blank_weight: float | None = None,
    free_between: bool = False,
) -> MultiLabelAlignment:
    """Align frames with multi-hot targets by CTC: the targets of `ctc` being characters of D pitches each.

    C(n,m) = -<log p(n), w(m)> over the expanded targets blank, y_1, blank, ..., y_M, blank. Encodings:

    - "we": log_probs (N,1+D,2), the overall blank first, then D pitches, each (off, on). A blank frame counts
      its category alone; a target counts the blank as off and every pitch.
    - "ne3": log_probs (N,D,3), each pitch (blank, off, on); the blank is blank in all.
    - "ne2": log_probs (N,D,2), each pitch (off, on); the blank is off in all, so no target may be.

    Args:
        log_probs: normalised over the last axis, float32 or float64; -inf forbids.
        y: (M,D) of 0 and 1. Equal targets in a row need a blank between.
        encoding: "we", "ne3" or "ne2".
        gamma: softness.
        step_weights: this and the following as in `ctc`.
        blank_penalty: see `ctc`.
        blank_weight: see `ctc`.
        free_between: see `ctc`.

    Returns:
        A `MultiLabelAlignment` with value, h, y_mod and x_grad computed; under "we" h is 1 for the blank's
        category and 1 - P(blank at n) for the others.

    Raises:
        NoPathError: fewer frames than targets need, or every path has probability 0.
        ValueError: shapes that do not fit the encoding, targets that are not 0 or 1, under "ne2" one all off.

    Warns:
        UserWarning: log_probs are not normalised.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f'encoding: is {encoding!r}; "we", "ne3" and "ne2" are accepted')
    targets = as_real_array("y", y)
    if targets.ndim != 2 or 0 in targets.shape:
        raise ValueError(f"y: has shape {targets.shape}; (M,D) with M, D >= 1 is accepted")
    refused = (targets != 0) & (targets != 1)
    if refused.any():
        index = tuple(int(i) for i in np.argwhere(refused)[0])
        raise ValueError(f"y: is {targets[index]} at index {index}; 0 and 1 are accepted")
    scores = _scores(log_probs, targets.shape[1] + (encoding == "we"), ENCODINGS[encoding], encoding)
    blanks = BlankSettings.of(
        step_weights=step_weights,
        blank_penalty=blank_penalty,
        blank_weight=blank_weight,
        free_between=free_between,
    )
    warn_of_rows("log_probs", scores)
    expanded = _expanded(targets.astype(np.float64), encoding)
    repeats = np.concatenate([[False], (targets[1:] == targets[:-1]).all(axis=1)])
    model = label_model(repeats, len(scores), gamma, blanks)
    flat, columns = scores.reshape(len(scores), -1), expanded.reshape(len(expanded), -1)
    forbidden = np.isneginf(flat)
    costs = -(np.where(forbidden, 0, flat).astype(np.float64) @ columns.T)
    if forbidden.any():
        costs[forbidden.astype(np.float64) @ columns.T > 0] = np.inf
    return MultiLabelAlignment(model, costs.astype(scores.dtype), scores, expanded)


def _scores(log_probs: ArrayLike, categories: int, components: int, encoding: str) -> NDArray[Any]:
    array = as_real_array("log_probs", log_probs)
    if array.ndim != 3 or len(array) == 0 or array.shape[1:] != (categories, components):
        raise ValueError(
            f'log_probs: has shape {array.shape}; under "{encoding}" '
            f"(N, {categories}, {components}) is accepted"
        )
    dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    refused = ~(array < np.inf)
    if refused.any():
        index = tuple(int(i) for i in np.argwhere(refused)[0])
        raise ValueError(
            f"log_probs: is {array[index]} at index {index}; finite numbers and -inf are accepted"
        )
    return np.require(array, dtype, ["C", "A"])


def _expanded(y: NDArray[np.float64], encoding: str) -> NDArray[np.float64]:
    """Return the w (2M+1,A,K) of blank, target 1, blank, ..., blank."""
    m, d = y.shape
    if encoding == "we":
        expanded = np.zeros((2 * m + 1, 1 + d, 2))
        expanded[::2, 0, 1] = 1
        expanded[1::2, 0, 0] = 1
        expanded[1::2, 1:, 0], expanded[1::2, 1:, 1] = 1 - y, y
        return expanded
    if encoding == "ne3":
        expanded = np.zeros((2 * m + 1, d, 3))
        expanded[::2, :, 0] = 1
        expanded[1::2, :, 1], expanded[1::2, :, 2] = 1 - y, y
        return expanded
    silent = np.flatnonzero(~y.any(axis=1))
    if silent.size:
        raise ValueError(
            f'y: target {silent[0]} is all off, which under "ne2" equals the blank; '
            'leave it out, or take "we" or "ne3"'
        )
    expanded = np.zeros((2 * m + 1, d, 2))
    expanded[::2, :, 0] = 1
    expanded[1::2, :, 0], expanded[1::2, :, 1] = 1 - y, y
    return expanded
