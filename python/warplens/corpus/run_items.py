"""All items run into one folder, with whoever listens told of each, and nothing half-written left behind."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from warplens.corpus.inputs.source import Source
from warplens.corpus.progress import Finished, Progress
from warplens.corpus.workers.engine import Engine
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
    engine: Engine,
    sources: Sequence[Source],
    work: FolderWork[R],
    *,
    ignored: int,
    progress: Progress | None,
) -> list[R]:
    """The outcome of every item, in the order of the sources; errors as `Engine.run`.

    Args:
        engine: runs them.
        sources: the items.
        work: what is done with each.
        ignored: files that were not looked at, for whoever listens.
        progress: is told of each item as it is done.
    """
    engine.start(len(sources))  # before whoever listens draws in a thread of its own
    if progress:
        progress.started(len(sources), ignored)
    outcomes = []
    with contextlib.closing(engine.run(sources, work, failed=work.failed)) as done:
        for outcome in done:
            outcomes.append(outcome)
            if progress:
                progress.finished(outcome)
    return outcomes


@contextlib.contextmanager
def tidied(out: Path) -> Iterator[None]:
    """The folder of the results, made if it is not there, without what was half-written before and after.

    Afterwards it is that of workers that were stopped, or of a run that was still dying when this one began.
    """
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    try:
        yield
    finally:
        remove_leftovers(out)
