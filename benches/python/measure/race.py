"""Timing in rounds, after a check of the results: yardstick, warplens, peer after peer, and again.

Only runs of one round are compared, so that what slows the machine for a while slows all alike.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..contenders.contender import Contender, Task, UnsuitedError
from ..machine import available_memory
from ..workloads import Workload
from .timing import Runner, Spread
from .truth import Distance, distance, truth
from .yardstick import Yardstick


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


def race(
    workload: Workload, contenders: Iterable[Contender], rounds: int, progress: Callable[[str], None]
) -> tuple[Spread, list[Row]]:
    """Return the seconds of the yardstick, and a row for each contender with its ratios to it."""
    yardstick = Runner.of(Yardstick(workload).call, rounds)
    rows: list[Row] = []
    timed: list[tuple[Row, Runner, list[float]]] = []
    for contender in contenders:
        progress(f"{workload.name}: checking {contender.name}")
        try:
            row, task = check(contender, workload)
        except UnsuitedError as reason:
            progress(f"{workload.name}: {contender.name} takes no part: {reason}")
            continue
        rows.append(row)
        if task is not None:
            timed.append((row, Runner.of(task.call, rounds), []))
    for index in range(rounds):
        progress(f"{workload.name}: round {index + 1} of {rounds}")
        unit = yardstick.measure()
        for _, runner, ratios in timed:
            if index < runner.rounds:
                ratios.append(runner.measure() / unit)
    for row, runner, ratios in timed:
        row.rounds = runner.rounds
        row.seconds, row.ratio = Spread.of(runner.seconds), Spread.of(ratios)
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
