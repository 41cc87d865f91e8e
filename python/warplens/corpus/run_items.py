"""Run items into a folder, report progress, remove temporary files."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from warplens.corpus.inputs.collect import collect
from warplens.corpus.inputs.results_folder import check_own
from warplens.corpus.inputs.shard import Shard
from warplens.corpus.inputs.source import Source
from warplens.corpus.progress import Finished, Progress
from warplens.corpus.results.run_record import RunRecord
from warplens.corpus.workers.engine import Engine
from warplens.io.replacing import remove_leftovers

R = TypeVar("R", bound=Finished, covariant=True)


class FolderWork(Protocol[R]):
    """Work on an item that writes into a folder; picklable."""

    @property
    def out(self) -> Path:
        """Folder of the results."""

    def __call__(self, source: Source) -> R:
        """Do one item; raise whatever is wrong with it."""

    def failed(self, source: Source, reason: str) -> R:
        """Return the outcome of an item that could not be done."""


@dataclass(frozen=True)
class ItemRun:
    """Items of a run and the engine that does them, for as long as the block of `open_run` lasts.

    Attributes:
        sources: the items, those of the shard if there is one.
        ignored: files that were not looked at.
        results: folders of earlier results within the inputs, which were passed over.
        links: links to folders within the inputs, which were not followed.
        out: folder of the results.
        engine: runs work on items.
        record: OUT/run.json.
    """

    sources: list[Source]
    ignored: int
    results: list[Path]
    links: list[Path]
    out: Path
    engine: Engine
    record: RunRecord

    def do(self, work: FolderWork[R], progress: Progress | None) -> list[R]:
        """Do every item and return the outcomes, in the order of the sources; errors as `Engine.run`."""
        # Before a progress bar starts a thread, beside which no worker is forked.
        self.engine.start(len(self.sources))
        if progress:
            progress.started(len(self.sources), self.ignored)
        outcomes = []
        with contextlib.closing(self.engine.run(self.sources, work, failed=work.failed)) as done:
            for outcome in done:
                outcomes.append(outcome)
                if progress:
                    progress.finished(outcome)
        return outcomes

    def end(self, outcomes: Sequence[Finished], settings: Mapping[str, Any], **facts: Any) -> None:
        """Write the record of a run that is complete."""
        self.record.end(
            self.out,
            {
                "settings": settings,
                "items": len(outcomes),
                "failed": sum(outcome.error is not None for outcome in outcomes),
                **facts,
                "reused": sum(outcome.reused for outcome in outcomes),
                "ignored_files": self.ignored,
            },
        )


@contextlib.contextmanager
def open_run(
    command: str,
    inputs: Sequence[Path],
    out: Path,
    *,
    processes: int | None,
    scheduler: str | None,
    item_timeout: float | None,
    shard: Shard | None,
    allow_external: bool,
) -> Iterator[ItemRun]:
    """Collect the items of a run, open its folder and its engine; arguments and errors as `analyze`.

    The folder is made if it is not there. Temporary files are removed before, and afterwards: those of
    workers that were stopped, or of an earlier run that was still dying.
    """
    record = RunRecord(command, inputs)
    engine = Engine(processes=processes, scheduler=scheduler, item_timeout=item_timeout)
    if scheduler is not None:
        inputs, out = [path.absolute() for path in inputs], out.absolute()
    sources, ignored, results, links = collect(inputs, exclude=out, allow_external=allow_external)
    check_own(out)
    if shard is not None:
        sources = shard.of(sources)
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    try:
        with engine:
            record.begin(out)
            yield ItemRun(sources, ignored, results, links, out, engine, record)
    finally:
        remove_leftovers(out)
