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
from warplens.family.ctc import check_below_inf, warn_of_rows
from warplens.family.frame_synchronous import LabelSource
from warplens.family.label_graph import BlankSettings, expanded_labels, label_model
from warplens.family.model import Model
from warplens.family.sources import ClassSource

ENCODINGS = {"we": 2, "ne3": 3, "ne2": 2}
"""The number of components of each category under an encoding."""


class MultiLabelAlignment(ModelAlignment):
    """The alignment of log-probabilities (N,A,K) of A categories with multi-hot targets.

    h (N,A) is one weight for each frame and category, y_mod (N,A,K) what each category is taught there, and
    x_grad (N,A,K) = -h y_mod is dvalue/dlog_probs; H and E (N,2M+1) are over blank, target 1, blank, ...,
    blank.
    """

    def __init__(
        self, model: Model, source: LabelSource, log_probs: NDArray[Any], characters: NDArray[np.float64]
    ) -> None:
        settings = AlignmentSettings.of(cost="mse", gamma=model.gamma, step_weights=UNIT_WEIGHTS)
        super().__init__(model, source, settings=settings, outputs=["x_grad"])
        self._log_probs = log_probs
        self._characters = characters
        self._columns = source.classes.targets
        # Of each character, (N,1+L).
        self._occupancy = 0.0 - self._results.pop("x_grad").astype(np.float64, copy=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, 2M+1)."""
        return len(self._log_probs), len(self._columns)

    @property
    def cost(self) -> str:
        """The name of the loss."""
        return "multi_label_ctc"

    @property
    def expanded(self) -> NDArray[np.float64]:
        """The expanded targets w (2M+1,A,K), C(n,m) = -<log_probs(n), w(m)>."""
        if "expanded" not in self._results:
            self._keep("expanded", self._characters[self._columns])
        return self._array("expanded")

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

    def _compute(self, output: str) -> None:
        if output not in ("h", "y_mod", "x_grad"):
            super()._compute(output)
            return
        characters = self._characters.reshape(len(self._characters), -1)
        occupancy = (self._occupancy @ characters).reshape(self._log_probs.shape)
        h = occupancy.sum(axis=-1)
        y_mod = occupancy / np.where(h < LEAST_ROW_SUM, np.inf, h)[..., np.newaxis]
        for name, array in (("h", h), ("y_mod", y_mod), ("x_grad", 0.0 - occupancy)):
            self._keep(name, array.astype(self._log_probs.dtype, copy=False))


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
        A `MultiLabelAlignment` with value computed; h, y_mod and x_grad on first access. Under "we" h is 1
        for the blank's category and 1 - P(blank at n) for the others.

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
    _refuse_silence(targets, encoding)
    # Equal targets are one class, class 0 is the blank.
    distinct, inverse = np.unique(targets, axis=0, return_inverse=True)
    labels = 1 + inverse.reshape(-1).astype(np.int64)
    repeats = np.concatenate([[False], labels[1:] == labels[:-1]])
    model = label_model(repeats, len(scores), gamma, blanks)
    characters = _characters(distinct.astype(np.float64), encoding)
    classes = ClassSource(_of_characters(scores, characters), expanded_labels(labels, 0), None)
    source = LabelSource(classes, blank=0, blanks=blanks, dtype=scores.dtype)
    return MultiLabelAlignment(model, source, scores, characters)


def _scores(log_probs: ArrayLike, categories: int, components: int, encoding: str) -> NDArray[Any]:
    array = as_real_array("log_probs", log_probs)
    if array.ndim != 3 or len(array) == 0 or array.shape[1:] != (categories, components):
        raise ValueError(
            f'log_probs: has shape {array.shape}; under "{encoding}" '
            f"(N, {categories}, {components}) is accepted"
        )
    dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    check_below_inf("log_probs", array)
    return np.require(array, dtype, ["C", "A"])


def _of_characters(log_probs: NDArray[Any], characters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores (N,1+L) of characters, <log p(n), w(k)>; -inf where one counts a -inf."""
    flat, weights = log_probs.reshape(len(log_probs), -1), characters.reshape(len(characters), -1)
    forbidden = np.isneginf(flat)
    scores: NDArray[np.float64] = np.where(forbidden, 0, flat).astype(np.float64) @ weights.T
    if forbidden.any():
        scores[forbidden.astype(np.float64) @ weights.T > 0] = -np.inf
    return scores


def _characters(y: NDArray[np.float64], encoding: str) -> NDArray[np.float64]:
    """Return the w (1+L,A,K) of the blank and of L targets."""
    count, d = y.shape
    offset = 1 if encoding == "ne3" else 0
    pitches = np.zeros((1 + count, d, ENCODINGS[encoding]))
    pitches[1:, :, offset], pitches[1:, :, offset + 1] = 1 - y, y
    if encoding != "we":
        pitches[0, :, 0] = 1
        return pitches
    of_blank = np.zeros((1 + count, 1, 2))
    of_blank[0, 0, 1] = of_blank[1:, 0, 0] = 1
    return np.concatenate([of_blank, pitches], axis=1)


def _refuse_silence(y: NDArray[Any], encoding: str) -> None:
    silent = np.flatnonzero(~y.any(axis=1))
    if encoding == "ne2" and silent.size:
        raise ValueError(
            f'y: target {silent[0]} is all off, which under "ne2" equals the blank; '
            'leave it out, or take "we" or "ne3"'
        )
