"""A run over a corpus: every item into its file, then the table and the report of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from warplens.analysis.report import Pages, ReportItem, write_report
from warplens.corpus.folder_run import run_into_folder
from warplens.corpus.item_file import item_path, load_analysis
from warplens.corpus.item_work import ItemWork, Outcome
from warplens.corpus.parquet import write_parquet
from warplens.corpus.progress import Progress
from warplens.corpus.record import RunRecord
from warplens.corpus.settings import Settings
from warplens.corpus.shard import Shard
from warplens.corpus.sources import Source, collect
from warplens.corpus.table import write_table
from warplens.io import DEFAULT_SIZE_LIMIT, ItemError


@dataclass(frozen=True)
class Run:
    """What a run did.

    Attributes:
        outcomes: sorted by id.
        ignored: files that were not looked at.
        table: OUT/items.csv, None if the run did a shard.
        report: OUT/report.html, likewise.
    """

    outcomes: list[Outcome]
    ignored: int
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
    pages: Pages = "risk",
    size_limit: int | None = DEFAULT_SIZE_LIMIT,
    processes: int | None = None,
    scheduler: str | None = None,
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
        size_limit: bytes that the arrays of one item may take, None for any.
        processes: items in work at a time; None as `warplens.get_num_threads()`.
        scheduler: address of a Dask scheduler that is to run the items; its workers must see inputs and `out`
            under the same paths.
        shard: the part of the items to do. Only their files are written; table and report are made by a run
            over all of them, which then finds them done.
        progress: is told of each item as it is done.

    Raises:
        InputError: an input is missing, nothing is found, or ids clash (see `collect`).
        EngineError: processes cannot be started or the scheduler cannot be reached.
        OSError: the results cannot be written.
    """
    settings = settings or Settings()
    record = RunRecord("analyze", inputs)
    if scheduler is not None:
        inputs, out = [path.absolute() for path in inputs], out.absolute()
    sources, ignored = collect(inputs, exclude=out)
    if shard is not None:
        sources = shard.of(sources)
    work = ItemWork(out, settings, size_limit)
    outcomes = run_into_folder(
        sources, work, ignored=ignored, processes=processes, scheduler=scheduler, progress=progress
    )
    if shard is not None:
        return Run(outcomes, ignored, None, None)
    run = Run(outcomes, ignored, out / "items.csv", out / "report.html")
    _write_summary(run, out, sources, work, pages)
    record.write(
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


def _write_summary(run: Run, out: Path, sources: Sequence[Source], work: ItemWork, pages: Pages) -> None:
    rows = [row for outcome in run.outcomes for row in outcome.rows]
    write_table(out / "items.csv", rows)
    write_parquet(out / "items.parquet", rows)
    known = {source.id: (source, outcome) for source, outcome in zip(sources, run.outcomes, strict=True)}
    write_report(
        out,
        rows,
        lambda item_id: _report_item(*known[item_id], work),
        threshold=work.settings.threshold,
        pages=pages,
    )


def _report_item(source: Source, outcome: Outcome, work: ItemWork) -> ReportItem:
    """An item as the report shows it: its arrays are read back from its files."""
    if outcome.error is not None:
        return ReportItem(source.id, error=outcome.error)
    settings = work.settings
    try:
        item = source.read(size_limit=work.size_limit, fps=settings.fps)
        analysis = load_analysis(item_path(work.out, source.id), settings.key_of(item))
    except (OSError, ItemError):
        analysis = None
    if analysis is None:
        return ReportItem(
            source.id, error="its file or its results changed while the report was being written"
        )
    return ReportItem(source.id, item, analysis, warning=outcome.warning)
