"""All items run into one folder, with whoever listens told of each, and nothing half-written left behind."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from warplens.corpus.engine import run_items
from warplens.corpus.progress import Finished, Progress
from warplens.corpus.sources import Source
from warplens.io.replacing import remove_leftovers

R = TypeVar("R", bound=Finished, covariant=True)


class FolderWork(Protocol[R]):
    """What is done with every item, picklable."""

    @property
    def out(self) -> Path:
        """The folder of the results."""

    def __call__(self, source: Source) -> R:
        """Do one item; raises whatever is wrong with it."""

    def failed(self, source: Source, reason: str) -> R:
        """The outcome of an item that could not be done."""


def run_into_folder(
    sources: Sequence[Source],
    work: FolderWork[R],
    *,
    ignored: int,
    processes: int | None,
    scheduler: str | None,
    progress: Progress | None,
) -> list[R]:
    """The outcome of every item, in the order of the sources; arguments and errors as `run_items`.

    Args:
        sources: the items.
        work: what is done with each.
        ignored: files that were not looked at, for whoever listens.
        processes: items in work at a time.
        scheduler: address of a Dask scheduler.
        progress: is told of each item as it is done.
    """
    work.out.mkdir(parents=True, exist_ok=True)
    if progress:
        progress.started(len(sources), ignored)
    outcomes = []
    remove_leftovers(work.out)
    try:
        with contextlib.closing(
            run_items(sources, work, failed=work.failed, processes=processes, scheduler=scheduler)
        ) as done:
            for outcome in done:
                outcomes.append(outcome)
                if progress:
                    progress.finished(outcome)
    except BaseException:
        remove_leftovers(work.out)  # of the workers that were stopped
        raise
    return outcomes
