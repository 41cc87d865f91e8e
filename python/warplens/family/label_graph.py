"""The graph of CTC over expanded targets: blank, label 1, blank, ..., label L, blank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warplens._core import NoPathError
from warplens._numbers import as_number, is_number
from warplens._settings import check_gamma
from warplens.family.model import Model
from warplens.family.steps import Step


@dataclass(frozen=True)
class BlankSettings:
    """Weights and penalties of blanks; make it with `BlankSettings.of`."""

    step_weights: tuple[float, float, float]
    penalty: float
    weight: float | None
    free_between: bool

    @classmethod
    def of(
        cls,
        *,
        step_weights: Sequence[float],
        blank_penalty: float,
        blank_weight: float | None,
        free_between: bool,
    ) -> BlankSettings:
        """Check every setting."""
        try:
            weights = [as_number("step_weights", weight) for weight in step_weights]
        except TypeError as error:
            raise TypeError(f"step_weights: is {step_weights!r}; three numbers are accepted") from error
        if len(weights) != 3:
            raise ValueError(
                f"step_weights: has {len(weights)} entries; three are accepted (stay, next, skip)"
            )
        if not is_number(blank_penalty):
            raise TypeError(f"blank_penalty: is {blank_penalty!r}; a number above -inf is accepted")
        if not blank_penalty > -math.inf:
            raise ValueError(
                f"blank_penalty: is {blank_penalty}; a number above -inf is accepted, inf forbids"
            )
        weight = None if blank_weight is None else as_number("blank_weight", blank_weight)
        if not isinstance(free_between, bool | np.bool_):
            raise TypeError(f"free_between: is {free_between!r}; True or False is accepted")
        stay, advance, skip = weights
        return cls((stay, advance, skip), float(blank_penalty), weight, bool(free_between))


PLAIN = BlankSettings((1.0, 1.0, 1.0), 0.0, None, False)
"""Blanks of plain CTC."""


def label_model(
    repeats: NDArray[np.bool_],
    frames: int,
    gamma: float,
    blanks: BlankSettings = PLAIN,
    *,
    many_to_one: bool = False,
) -> Model:
    """Return the model for L labels, of which `repeats` (L,) equal the one before; blanks are even.

    Steps are (1,0), (1,1) and, into labels that differ from the one before, (1,2); many to one also (0,2).
    A path begins at the first blank or label and ends at the last label or blank; the first cell is charged
    once.
    """
    labels = len(repeats)
    needed = labels + int(repeats.sum())
    if frames < needed and not many_to_one:
        between = f" and {int(repeats.sum())} blanks between equal ones" if repeats.any() else ""
        raise NoPathError(
            f"no path: T = {frames} frames are fewer than {labels} labels{between}; "
            f"the shortest possible T is {needed}"
        )
    columns = 2 * labels + 1
    blank = np.arange(columns) % 2 == 0
    freed = np.zeros(columns, bool)
    if blanks.free_between:
        freed[2:-1:2] = repeats[1:]
    skips = np.zeros(columns, bool)
    skips[3::2] = ~repeats[1:]
    steps = []
    for targets, step_weight in enumerate(blanks.step_weights):
        weight = np.where(blank, step_weight if blanks.weight is None else blanks.weight, step_weight)
        penalty = np.where(blank, blanks.penalty, 0.0)
        if targets == 1:
            weight, penalty = np.where(freed, step_weight, weight), np.where(freed, 0.0, penalty)
        if targets == 2:
            penalty = np.where(skips, 0.0, np.inf)
        steps.append(Step(1, targets, _shortest(weight), _shortest(penalty)))
    if many_to_one:
        steps.append(Step(0, 2, 1.0, _shortest(np.where(skips, 0.0, np.inf))))
    entry, exit = np.full(columns, np.inf), np.full(columns, np.inf)
    # Where only the needed blanks are left, a path may still begin on one (CTC-C).
    entry[0] = 0.0 if blanks.free_between and blanks.penalty == math.inf else blanks.penalty
    entry[1:2], exit[-2:] = 0.0, 0.0
    return Model.of(
        (frames, columns),
        gamma=check_gamma(gamma),
        steps=steps,
        entry=(entry, None),
        exit=(exit, None),
        entry_weight=1.0,
    )


def expanded_labels(labels: NDArray[np.int64], blank: int) -> NDArray[np.int64]:
    """Return the class of each column: blank, label 1, blank, ..., label L, blank."""
    expanded = np.full(2 * len(labels) + 1, blank, np.int64)
    expanded[1::2] = labels
    expanded.flags.writeable = False
    return expanded


def _shortest(row: NDArray[np.float64]) -> float | NDArray[np.float64]:
    return float(row[0]) if (row == row[0]).all() else row[np.newaxis]
