"""The engine of a corpus: one piece of work for every item, wherever there is room, results in order.

The work reads its item, computes and writes, and hands back something small; whoever runs the engine only
collects that. Few items make no processes: those are run where they are asked for. More are run in worker
processes (`workers`), or by a Dask scheduler (`cluster`).
"""

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar, cast

import warplens as wl
from warplens.corpus.attempt import Answer, attempt
from warplens.corpus.cluster import run_on_cluster
from warplens.corpus.sources import Source
from warplens.corpus.workers import run_in_workers

R = TypeVar("R")

_ITEMS_WORTH_A_PROCESS = 4
"""Starting a process takes as long as some items do."""


def run_items(
    sources: Sequence[Source],
    work: Callable[[Source], R],
    *,
    failed: Callable[[Source, str], R],
    processes: int | None = None,
    scheduler: str | None = None,
) -> Generator[R, None, None]:
    """The result of `work(source)` for every source, in the order of the sources, a bounded number ahead.

    Whatever the work raises, and a process that dies over an item again and again, fails that item alone.
    Closing the iterator early ends the processes.

    Args:
        sources: the items.
        work: picklable, as is what it returns, which should be small: it is sent between processes.
        failed: makes the result of an item from the reason why it has none.
        processes: items in work at a time; None as `warplens.get_num_threads()`. Not used with a scheduler.
        scheduler: address of a Dask scheduler (tcp://...) that is to run the items (extra `dask`).

    Raises:
        EngineError: worker processes cannot be started, or the scheduler cannot be reached.
    """
    answers: Generator[Answer[R], None, None]
    if scheduler is not None:
        answers = run_on_cluster(sources, work, scheduler)
    elif (count := _processes_worth(len(sources), processes)) < 2:
        answers = (attempt(work, source) for source in sources)
    else:
        answers = run_in_workers(sources, work, count)
    with contextlib.closing(answers):
        for source, answer in zip(sources, answers, strict=True):
            yield failed(source, answer.reason) if answer.reason is not None else cast(R, answer.result)


def _processes_worth(items: int, processes: int | None) -> int:
    return min(processes or wl.get_num_threads(), items // _ITEMS_WORTH_A_PROCESS)
