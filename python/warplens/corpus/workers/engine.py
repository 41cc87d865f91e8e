"""Engine of a corpus: runs work on every item, in any free process, and yields results in order.

The work reads its item, computes, writes, and returns something small, which the engine yields. A few items
are run in this process, more in worker processes (`pool`), or by a Dask scheduler (`dask`).
"""

import contextlib
import math
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Self, TypeVar, cast

import warplens as wl
from warplens.corpus.inputs.source import Source
from warplens.corpus.workers.attempt import Answer, attempt
from warplens.corpus.workers.dask import run_on_cluster
from warplens.corpus.workers.pool import Workers

R = TypeVar("R")

_ITEMS_WORTH_A_PROCESS = 4
"""Items for each worker at least: starting a process takes as long as some items do."""


class Engine:
    """Engine that runs items while its `with` block lasts; worker processes stay for the next run."""

    def __init__(
        self,
        *,
        processes: int | None = None,
        scheduler: str | None = None,
        item_timeout: float | None = None,
    ) -> None:
        """Set the engine up; nothing is started yet.

        Args:
            processes: items in work at a time without a scheduler; None as `warplens.get_num_threads()`.
            scheduler: address of a Dask scheduler (tcp://...) that is to run the items (extra `dask`).
            item_timeout: seconds after which an item fails that is not done, whatever it is doing: then every
                item is run in a worker process, which can be killed. None for any number.

        Raises:
            ValueError: the time is out of range, or there is a scheduler too (see `check_item_timeout`).
        """
        check_item_timeout(item_timeout, scheduler)
        self._item_timeout = item_timeout
        self._processes = processes or wl.get_num_threads()
        self._scheduler = scheduler
        self._workers: Workers | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._workers:
            self._workers.close()

    def run(
        self, sources: Sequence[Source], work: Callable[[Source], R], *, failed: Callable[[Source, str], R]
    ) -> Generator[R, None, None]:
        """Yield the result of `work(source)` for every source, in their order, a bounded number ahead.

        An error of the work, or a process that dies over an item again and again, fails that item alone.

        Args:
            sources: the items.
            work: picklable, as is what it returns, which should be small: it is sent between processes.
            failed: makes the result of a failed item from the reason.

        Raises:
            EngineError: worker processes cannot be started, or the scheduler cannot be reached.
        """
        with contextlib.closing(self._answers(sources, work)) as answers:
            for source, answer in zip(sources, answers, strict=True):
                yield failed(source, answer.reason) if answer.reason is not None else cast(R, answer.result)

    def _answers(
        self, sources: Sequence[Source], work: Callable[[Source], R]
    ) -> Generator[Answer[R], None, None]:
        if self._scheduler is not None:
            return run_on_cluster(sources, work, self._scheduler)
        if self._workers is None and not self.start(len(sources)):
            return (attempt(work, source) for source in sources)
        assert self._workers is not None
        return self._workers.run(sources, work)

    def takes_workers(self, n_items: int) -> bool:
        """Return True if a first run of so many items starts worker processes."""
        return self._processes_for(n_items) > 0

    def start(self, n_items: int) -> bool:
        """Start the worker processes that a first run of so many items takes; return True if it takes any.

        They may be forks of this process as it is now, so threads should be started afterwards.
        """
        processes = self._processes_for(n_items)
        if processes and self._workers is None:
            self._workers = Workers(processes, self._item_timeout)
            self._workers.start(n_items)
        return self._workers is not None

    def _processes_for(self, n_items: int) -> int:
        """Return the worker processes that a first run starts for so many items, 0 if it starts none."""
        if self._scheduler is not None:
            return 0
        if self._item_timeout is not None:
            return max(1, min(self._processes, n_items))
        processes = min(self._processes, n_items // _ITEMS_WORTH_A_PROCESS)
        return processes if processes > 1 else 0


def check_item_timeout(item_timeout: float | None, scheduler: str | None) -> None:
    """Check that a time limit can be kept.

    Raises:
        ValueError: it is not positive and finite, or a scheduler is to run the items.
    """
    if item_timeout is None:
        return
    if not (math.isfinite(item_timeout) and item_timeout > 0):
        raise ValueError(f"item_timeout: {item_timeout:g}, it must be a positive number of seconds")
    if scheduler is not None:
        raise ValueError(
            "item_timeout: not with a scheduler, since Dask cannot end a task that hangs; leave out one of "
            "the two (--item-timeout, --scheduler)"
        )
