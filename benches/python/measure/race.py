"""Timing in rounds, after a check of the results: yardstick, warplens, peer after peer, and again.

Only runs of one round are compared, so that what slows the machine for a while slows all alike.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ..contenders.contender import Contender, Task, UnsuitedError
from ..machine import available_memory
from ..workloads import Workload
from .truth import Distance, distance, truth
from .yardstick import Yardstick

LEAST_SECONDS = 0.05
"""Shorter calls are repeated, and a measurement is their mean."""
MOST_REPEATS = 200
SETTLE_SECONDS = 0.01
"""A pause before each call: idle threads of the library before may spin for a while until they sleep."""
ROUNDS_OF_SLOW_CALLS = [(8.0, 1), (2.0, 2), (0.8, 3)]
"""(seconds, rounds): calls that take longer than `seconds` run in only so many rounds."""


@dataclass(frozen=True)
class Spread:
    """Median, least and most over rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Return the spread of one value or more."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Row:
    """Results of one contender on one workload."""

    name: str
    note: str = ""
    distance: Distance | None = None
    rounds: int = 0
    seconds: Spread | None = None
    ratio: Spread | None = None
    extra_bytes: int | None = None


@dataclass
class _Runner:
    row: Row
    call: Callable[[], None]
    repeats: int
    rounds: int
    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)


def race(
    workload: Workload, contenders: Iterable[Contender], rounds: int, progress: Callable[[str], None]
) -> tuple[Spread, list[Row]]:
    """Return the seconds of the yardstick, and a row for each contender with its ratios to it."""
    yardstick = _runner(Row("yardstick"), Yardstick(workload).call, rounds)
    rows, runners = [], []
    for contender in contenders:
        progress(f"{workload.name}: checking {contender.name}")
        try:
            row, task = check(contender, workload)
        except UnsuitedError as reason:
            progress(f"{workload.name}: {contender.name} takes no part: {reason}")
            continue
        rows.append(row)
        if task is not None:
            runners.append(_runner(row, task.call, rounds))
    for index in range(rounds):
        progress(f"{workload.name}: round {index + 1} of {rounds}")
        unit = _measure(yardstick)
        for runner in runners:
            if index < runner.rounds:
                runner.ratios.append(_measure(runner) / unit)
    for runner in runners:
        runner.row.rounds = runner.rounds
        runner.row.seconds, runner.row.ratio = Spread.of(runner.seconds), Spread.of(runner.ratios)
    return Spread.of(yardstick.seconds), rows


def check(contender: Contender, workload: Workload) -> tuple[Row, Task | None]:
    """Run a contender once and return its task, or None where the result is wrong.

    Raises:
        UnsuitedError: The contender cannot compute the workload.
    """
    row = Row(contender.name)
    solved = contender.solves(workload)
    needed = contender.bytes_needed(workload)
    if needed > 0.9 * available_memory():
        row.note = f"not run: needs about {needed / 1e9:.0f} GB"
        return row, None
    try:
        warm_up(contender, workload)
        task = contender.prepare(solved)
        task.call()
        result = task.result()
    except UnsuitedError:
        raise
    except ImportError as error:
        row.note = f"not installed: {error}"
        return row, None
    except Exception as error:  # whatever a peer raises is its result
        row.note = f"failed: {type(error).__name__}: {error}"
        return row, None
    expected = truth(solved) if contender.is_soft_dtw else result
    row.distance = distance(result, expected)
    if row.distance.is_wrong:
        row.note = "wrong, so not timed"
        return row, None
    notes = []
    if not contender.is_soft_dtw:
        row.distance = None
        notes.append("another loss")
    elif solved != workload:
        notes.append(f"weights {solved.weights_text}: it has no others")
    if row.distance is not None and row.distance.is_inexact:
        notes.append("inexact")
    row.note = "; ".join(notes)
    return row, task


def warm_up(contender: Contender, workload: Workload) -> None:
    """Run a tiny version of the workload, so that code is compiled and threads are started."""
    sizes = ((9, 8), (7, 5)) if workload.is_ragged else ((9, 8),) * 2
    contender.prepare(contender.solves(replace(workload, sizes=sizes))).call()


def _runner(row: Row, call: Callable[[], None], rounds: int) -> _Runner:
    call()
    seconds = _seconds(call, 1)
    few = next((few for limit, few in ROUNDS_OF_SLOW_CALLS if seconds > limit), rounds)
    repeats = min(MOST_REPEATS, max(1, round(LEAST_SECONDS / seconds)))
    return _Runner(row, call, repeats, min(few, rounds))


def _measure(runner: _Runner) -> float:
    time.sleep(SETTLE_SECONDS)
    if runner.repeats > 1:
        runner.call()  # brings its data back into the caches
    runner.seconds.append(_seconds(runner.call, runner.repeats))
    return runner.seconds[-1]


def _seconds(call: Callable[[], None], repeats: int) -> float:
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    seconds = (time.perf_counter() - start) / repeats
    gc.enable()
    return seconds
