"""Measures of modified targets as predictors: do they order runs as their final F-measures do?"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_DIFFERENCE = 0.02
"""Runs whose final F-measures differ by less are not to be told apart."""

PREDICTORS: dict[str, tuple[str, int]] = {
    "F of Y_mod": ("f_measure", 1),
    "events kept": ("kept", 1),
    "peak of short events": ("short_event_peak", 1),
    "entropy of paths": ("entropy_rate", -1),
    "blur": ("blur", -1),
    "collapse": ("collapse", -1),
    "events kept, settled": ("after 3 rounds: kept", 1),
    "F of Y_mod, settled": ("after 3 rounds: f_measure", 1),
    "F of settled predictions, 1 round": ("after 1 rounds: predictions_f_measure", 1),
    "F of settled predictions": ("after 3 rounds: predictions_f_measure", 1),
    "F of the predictions": ("predictions_f_measure", 1),
}
"""Measures of a look by what they are called, and their sign: 1 where more promises more."""


def ordered_rightly(
    promised: Sequence[float], final: Sequence[float], *, least_difference: float = LEAST_DIFFERENCE
) -> tuple[float, int]:
    """Count the pairs of runs that a predictor orders as their final F-measures are.

    Args:
        promised: predictor of each run, more for better.
        final: final F-measure of each run.
        least_difference: pairs whose final F-measures differ by less are left out.

    Returns:
        How many pairs are ordered rightly, a tie counting as half a pair, and how many pairs there are.
    """
    right, count = 0.0, 0
    for (p, f), (q, g) in combinations(zip(promised, final, strict=True), 2):
        if abs(f - g) >= least_difference:
            count += 1
            right += 0.5 if p == q else float((p > q) == (f > g))
    return right, count


def share_ordered_rightly(
    groups: Sequence[Sequence[Mapping[str, Any]]], predictor: str, share: float
) -> tuple[float, int]:
    """Return the share of pairs that a predictor orders rightly after a share of the steps, and their count.

    Runs of different groups, as of seeds, are not compared. Runs without the measure are left out.
    """
    measure, sign = PREDICTORS[predictor]
    right, count = 0.0, 0
    for results in groups:
        pairs = [
            (sign * value, result["f_measure"])
            for result in results
            if (value := look_value(result, share, measure)) is not None
        ]
        of_seed = ordered_rightly([p for p, _ in pairs], [f for _, f in pairs])
        right, count = right + of_seed[0], count + of_seed[1]
    return (right / count if count else float("nan")), count


def look_value(result: Mapping[str, Any], share: float, measure: str) -> float | None:
    """Return a measure of the look of a result after a share of the steps; None where there is none."""
    for look in result.get("looks") or ():
        if look["share"] == share:
            return None if look.get(measure) is None else float(look[measure])
    return None


def look_values(
    results: Sequence[Mapping[str, Any]], shares: Sequence[float], measure: str
) -> NDArray[np.float64]:
    """Return the mean of a measure over results for each share of the steps; NaN where none has it."""
    rows = [[look_value(result, share, measure) for share in shares] for result in results]
    values = np.array(rows, np.float64).reshape(len(results), len(shares))
    known = np.isfinite(values)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.where(known.any(axis=0), sums / np.maximum(known.sum(axis=0), 1), np.nan))
