"""A run over a corpus: every item into its file, then the table and the report of all of them."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from warplens.analysis.losses.options import Loss
from warplens.corpus.inputs.shard import Shard
from warplens.corpus.item_work import ItemWork, Outcome
from warplens.corpus.progress import Progress
from warplens.corpus.results.parquet import through_parquet
from warplens.corpus.results.table import Row, columns_of, headings_of, through_csv
from warplens.corpus.run_items import ItemRun, open_run
from warplens.corpus.settings import Settings, settings_of
from warplens.io import DEFAULT_SIZE_LIMIT

if TYPE_CHECKING:
    from warplens.analysis.report import ItemPage, Pages, ReportItem


@dataclass(frozen=True)
class Run:
    """Outcomes and files of a run.

    Attributes:
        outcomes: sorted by id.
        ignored: files that were not looked at.
        results: folders of earlier results within the inputs, which were passed over.
        links: links to folders within the inputs, which were not followed.
        table: OUT/items.csv, None if the run did a shard.
        report: OUT/report.html, likewise.
    """

    outcomes: list[Outcome]
    ignored: int
    results: list[Path]
    links: list[Path]
    table: Path | None
    report: Path | None

    @property
    def failed(self) -> list[Outcome]:
        """Items that could not be analyzed."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]


def analyze(
    inputs: Sequence[Path],
    out: Path,
    settings: Settings | None = None,
    *,
    loss: Loss | str | None = None,
    pages: "Pages" = "risk",
    size_limit: int | None = DEFAULT_SIZE_LIMIT,
    processes: int | None = None,
    scheduler: str | None = None,
    item_timeout: float | None = None,
    shard: Shard | None = None,
    allow_external: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Run every item of the inputs at every gamma and write results, table and report into a folder.

    Items of losses whose targets are classes have `log_probs` and `labels` (`warplens.io.LabelItem`); there
    the columns of the tables that speak of events speak of labels.

    Writes OUT/items/<id>.npz, OUT/items.csv (with pyarrow also items.parquet), OUT/report.html with its
    pages, and OUT/run.json. All but the last depend on inputs and settings alone, byte for byte. An item
    whose file was written under the same content and settings is not run again, so the next run takes up
    one that was ended, in whatever way. An item that fails is a row with its reason and costs no other its
    results.

    Args:
        inputs: files and folders, see `collect`; `warplens.io.Item` tells their keys.
        out: folder for the results, made if it is not there.
        settings: settings of every item; None takes the gammas that the loss is looked at with.
        loss: a loss of the family, or its name; None is that of the settings, soft DTW unless told.
        pages: which items get a page of their own, see `write_report`.
        size_limit: bytes that the arrays of one item may take, its alignments among them, None for any.
        processes: items in work at a time; None as `warplens.get_num_threads()`.
        scheduler: address of a Dask scheduler that is to run the items; its workers must see inputs and `out`
            under the same paths.
        item_timeout: seconds after which an item fails that is not done, None for any number. Not with a
            scheduler. What finds the items, and the report of those that are done, has no limit.
        shard: the part of the items to do. Only their files are written; table and report are made by a run
            over all of them, which then finds them done.
        allow_external: read what links and files of the inputs refer to outside them; it may be any file that
            the user can read.
        progress: is told of each item as it is done.

    Raises:
        ValueError: the time limit is out of range, or cannot be kept; the loss does not know a setting.
        InputError: an input is missing, nothing is found, or ids clash (see `collect`); `out` holds something
            else under the name of a result.
        EngineError: processes cannot be started or the scheduler cannot be reached.
        OSError: the results cannot be written.
    """
    settings = settings_of(settings, loss)
    with open_run(
        "analyze",
        inputs,
        out,
        processes=processes,
        scheduler=scheduler,
        item_timeout=item_timeout,
        shard=shard,
        allow_external=allow_external,
    ) as items:
        if shard is None and items.engine.takes_workers(len(items.sources)):
            _prepare_summary()
        work = ItemWork(items.out, settings, size_limit)
        outcomes = items.do(work, progress)
        if shard is not None:
            return Run(outcomes, items.ignored, items.results, items.links, None, None)
        _write_summary(items, work, outcomes, pages)
    items.end(outcomes, settings.as_record())
    table, report = items.out / "items.csv", items.out / "report.html"
    return Run(outcomes, items.ignored, items.results, items.links, table, report)


def _prepare_summary() -> None:
    """Import what the report needs, so that workers, which draw pages too, are forked with it."""
    # Not pyarrow: it starts a thread, beside which no worker is forked. What is missing shows at the end.
    with contextlib.suppress(ImportError):
        from warplens.analysis.report.page import prepare

        prepare()


def _write_summary(items: ItemRun, work: ItemWork, outcomes: Sequence[Outcome], pages: "Pages") -> None:
    # Here, not above: a run that does a shard writes no report.
    from warplens.analysis.report import ReportItem, write_report
    from warplens.corpus.report_pages import DrawPage, no_page, remove_pages, report_item

    known = {source.id: (source, outcome) for source, outcome in zip(items.sources, outcomes, strict=True)}

    def draw_each(draw: "ItemPage", ids: Sequence[str]) -> Iterable[bool]:
        warnings = {item_id: known[item_id][1].warning for item_id in ids}
        pages_of = [known[item_id][0] for item_id in ids]
        return items.engine.run(pages_of, DrawPage(draw, work, warnings), failed=no_page)

    def load(item_id: str) -> "ReportItem":
        source, outcome = known[item_id]
        if outcome.error is not None:
            return ReportItem(item_id, error=outcome.error)
        return report_item(source, work, outcome.warning)

    remove_pages(work.out, known)
    rows = _through_tables(work.out, outcomes, work.settings.loss)
    settings = work.settings
    write_report(
        work.out,
        rows,
        load,
        threshold=settings.threshold,
        pages=pages,
        draw_each=draw_each,
        loss=settings.loss,
    )


def _through_tables(out: Path, outcomes: Iterable[Outcome], loss: Loss) -> Iterator[Row]:
    """Yield all rows and write them into the tables as they pass: all at once take much memory."""
    rows = (row for outcome in outcomes for row in outcome.rows)
    columns = columns_of(loss)
    headings = headings_of(loss, columns)
    written = through_csv(out / "items.csv", columns, rows, headings)
    return through_parquet(out / "items.parquet", written, columns, headings)
