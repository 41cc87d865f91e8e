"""A run over a corpus: every item into its file, then the table and the report of all of them."""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from warplens.corpus.inputs.collect import collect
from warplens.corpus.inputs.results_folder import check_own
from warplens.corpus.inputs.shard import Shard
from warplens.corpus.inputs.source import Source
from warplens.corpus.item_work import ItemWork, Outcome
from warplens.corpus.progress import Progress
from warplens.corpus.results.parquet import through_parquet
from warplens.corpus.results.run_record import RunRecord
from warplens.corpus.results.table import COLUMNS, Row, through_csv
from warplens.corpus.run_items import run_into_folder, tidied
from warplens.corpus.settings import Settings
from warplens.corpus.workers.engine import Engine
from warplens.io import DEFAULT_SIZE_LIMIT

if TYPE_CHECKING:
    from warplens.analysis.report import ItemPage, Pages, ReportItem


@dataclass(frozen=True)
class Run:
    """What a run did.

    Attributes:
        outcomes: sorted by id.
        ignored: files that were not looked at.
        results: folders of earlier results within the inputs, which were passed over.
        table: OUT/items.csv, None if the run did a shard.
        report: OUT/report.html, likewise.
    """

    outcomes: list[Outcome]
    ignored: int
    results: list[Path]
    table: Path | None
    report: Path | None

    @property
    def failed(self) -> list[Outcome]:
        """Items that could not be analysed."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]


def analyze(
    inputs: Sequence[Path],
    out: Path,
    settings: Settings | None = None,
    *,
    pages: "Pages" = "risk",
    size_limit: int | None = DEFAULT_SIZE_LIMIT,
    processes: int | None = None,
    scheduler: str | None = None,
    item_timeout: float | None = None,
    shard: Shard | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run every item of the inputs at every gamma and write what that teaches into a folder.

    Writes OUT/items/<id>.npz, OUT/items.csv (with pyarrow also items.parquet), OUT/report.html with its
    pages, and OUT/run.json. All but the last depend on inputs and settings alone, byte for byte. An item
    whose file was written under the same content and settings is not run again, so the next run takes up
    one that was ended, in whatever way. An item that fails is a row with its reason and costs no other its
    results.

    Args:
        inputs: files and folders, see `collect`; `warplens.io.Item` tells their keys.
        out: folder for the results, made if it is not there.
        settings: what to run each item with.
        pages: which items get a page of their own, see `write_report`.
        size_limit: bytes that the arrays of one item may take, its alignments among them, None for any.
        processes: items in work at a time; None as `warplens.get_num_threads()`.
        scheduler: address of a Dask scheduler that is to run the items; its workers must see inputs and `out`
            under the same paths.
        item_timeout: seconds after which an item fails that is not done, None for any number. Not with a
            scheduler. What finds the items, and the report of those that are done, has no limit.
        shard: the part of the items to do. Only their files are written; table and report are made by a run
            over all of them, which then finds them done.
        progress: is told of each item as it is done.

    Raises:
        ValueError: the time limit is out of range, or cannot be kept.
        InputError: an input is missing, nothing is found, or ids clash (see `collect`); `out` holds something
            else under the name of a result.
        EngineError: processes cannot be started or the scheduler cannot be reached.
        OSError: the results cannot be written.
    """
    settings = settings or Settings()
    record = RunRecord("analyze", inputs)
    engine = Engine(processes=processes, scheduler=scheduler, item_timeout=item_timeout)
    if scheduler is not None:
        inputs, out = [path.absolute() for path in inputs], out.absolute()
    sources, ignored, results = collect(inputs, exclude=out)
    check_own(out)
    if shard is not None:
        sources = shard.of(sources)
    work = ItemWork(out, settings, size_limit)
    with tidied(out), engine:
        record.begin(out)
        aside = threading.Thread(target=_prepare_summary, daemon=True)
        if engine.start(len(sources)) and shard is None:
            aside.start()  # while the workers have the first items
        outcomes = run_into_folder(engine, sources, work, ignored=ignored, progress=progress)
        if shard is not None:
            return Run(outcomes, ignored, results, None, None)
        if aside.ident is not None:
            aside.join()
        run = Run(outcomes, ignored, results, out / "items.csv", out / "report.html")
        _write_summary(run, engine, sources, work, pages)
    record.end(
        out,
        {
            "settings": settings.as_record(),
            "items": len(outcomes),
            "failed": len(run.failed),
            "reused": sum(outcome.reused for outcome in outcomes),
            "ignored_files": ignored,
        },
    )
    return run


def _prepare_summary() -> None:
    """Import what the end of a run needs, which takes as long as many items; what is missing shows there."""
    # Not pyarrow: it starts a thread, and beside one a worker that dies is replaced by none that is forked.
    with contextlib.suppress(ImportError):
        from warplens.analysis.report.page import prepare

        prepare()


def _write_summary(
    run: Run, engine: Engine, sources: Sequence[Source], work: ItemWork, pages: "Pages"
) -> None:
    # Here, not above: a run that does a shard writes no report.
    from warplens.analysis.report import ReportItem, write_report
    from warplens.corpus.report_pages import DrawPage, no_page, remove_pages, report_item

    known = {source.id: (source, outcome) for source, outcome in zip(sources, run.outcomes, strict=True)}

    def draw_each(draw: "ItemPage", ids: Sequence[str]) -> Iterable[bool]:
        warnings = {item_id: known[item_id][1].warning for item_id in ids}
        pages_of = [known[item_id][0] for item_id in ids]
        return engine.run(pages_of, DrawPage(draw, work, warnings), failed=no_page)

    def load(item_id: str) -> "ReportItem":
        source, outcome = known[item_id]
        if outcome.error is not None:
            return ReportItem(item_id, error=outcome.error)
        return report_item(source, work, outcome.warning)

    remove_pages(work.out, known)
    rows = _through_tables(work.out, run.outcomes)
    threshold = work.settings.threshold
    write_report(work.out, rows, load, threshold=threshold, pages=pages, draw_each=draw_each)


def _through_tables(out: Path, outcomes: Iterable[Outcome]) -> Iterator[Row]:
    """All rows, written into the tables as they pass: those of all items at once take much memory."""
    rows = (row for outcome in outcomes for row in outcome.rows)
    return through_parquet(out / "items.parquet", through_csv(out / "items.csv", COLUMNS, rows))
