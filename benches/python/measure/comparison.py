"""Calls beside a plain call of the same run: checked, then measured in turns with it, each with a goal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .timing import Runner, Spread

MOST_ERROR_OF_FLOAT32 = 1e-4
MOST_ERROR_OF_FLOAT64 = 1e-9
"""Greatest errors of a result, in units of its largest entry or of 1; beyond these it is called wrong."""


class WrongResultError(Exception):
    """Error of a call whose result is not the reference's, so that its time means nothing."""


@dataclass(frozen=True)
class TimedCall:
    """A call, and what makes its arguments outside the time."""

    call: Callable[..., Any]
    make: Callable[[], tuple[Any, ...]] = tuple


@dataclass(frozen=True)
class Comparison:
    """A call beside the plain call that it is compared with.

    Args:
        group: sizes and cost, the heading of the rows.
        name: what is called.
        timed: the call.
        against: what the plain call is.
        plain: the plain call.
        check: returns the error of a result, None where that is no number; raises `WrongResultError` where it
            is more than rounding.
        goal: greatest ratio to the plain call; None sets none.
        goal_seconds: greatest time of the call, for those that have one of their own.
        scale: a factor of the ratio, where the two calls do different amounts of work.
    """

    group: str
    name: str
    timed: TimedCall
    against: str
    plain: TimedCall
    check: Callable[[], float | None]
    goal: float | None = None
    goal_seconds: float | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class ComparisonRow:
    """Results of a comparison, with the goal and whether it is met (None: there is no goal).

    A row without seconds was not measured; the note says why.
    """

    group: str
    name: str
    against: str
    goal: float | None = None
    goal_seconds: float | None = None
    rounds: int = 0
    error: float | None = None
    seconds: Spread | None = None
    plain_seconds: Spread | None = None
    ratio: Spread | None = None
    is_met: bool | None = None
    note: str = ""


def compare(
    comparisons: Sequence[Comparison], rounds: int, progress: Callable[[str], None]
) -> list[ComparisonRow]:
    """Check every result, then measure each call right after its plain call, in rounds.

    Raises:
        WrongResultError: A result is wrong; none of the calls has been timed then.
    """
    errors = []
    for comparison in comparisons:
        progress(f"{comparison.group}: checking {comparison.name}")
        errors.append(comparison.check())
    runners = [
        (
            Runner.of(each.plain.call, rounds, each.plain.make),
            Runner.of(each.timed.call, rounds, each.timed.make),
        )
        for each in comparisons
    ]
    ratios: list[list[float]] = [[] for _ in comparisons]
    for index in range(rounds):
        progress(f"round {index + 1} of {rounds}")
        for comparison, (plain, timed), of_row in zip(comparisons, runners, ratios, strict=True):
            if index < min(plain.rounds, timed.rounds):
                unit = plain.measure()
                of_row.append(comparison.scale * timed.measure() / unit)
    return [
        _row(comparison, error, Spread.of(plain.seconds), Spread.of(timed.seconds), of_row)
        for comparison, error, (plain, timed), of_row in zip(
            comparisons, errors, runners, ratios, strict=True
        )
    ]


def _row(
    comparison: Comparison, error: float | None, plain: Spread, timed: Spread, ratios: list[float]
) -> ComparisonRow:
    ratio = Spread.of(ratios)
    is_met = None
    if comparison.goal is not None:
        is_met = ratio.median <= comparison.goal
    elif comparison.goal_seconds is not None:
        is_met = timed.median <= comparison.goal_seconds
    return ComparisonRow(
        comparison.group,
        comparison.name,
        comparison.against,
        comparison.goal,
        comparison.goal_seconds,
        len(ratios),
        error,
        timed,
        plain,
        ratio,
        is_met,
    )


def error_of(name: str, got: Mapping[str, Any], expected: Mapping[str, Any], most: float) -> float:
    """Return the largest error of the results that are expected, in units of the largest entry or of 1.

    Raises:
        WrongResultError: It is more than `most`, or a shape differs.
    """
    largest = 0.0
    for result, right in expected.items():
        exact, found = np.asarray(right, np.float64), np.asarray(got[result], np.float64)
        if found.shape != exact.shape:
            raise WrongResultError(f"{name}: {result} has shape {found.shape}, not {exact.shape}")
        error = float(np.abs(found - exact).max() / max(1.0, float(np.abs(exact).max())))
        if not error <= most:  # NaN is wrong
            raise WrongResultError(f"{name}: {result} is off by {error:.1e}, more than {most:.0e}")
        largest = max(largest, error)
    return largest
