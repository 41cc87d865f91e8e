"""A run over a corpus: items side by side on threads, each into its file, then the table and the report.

Reading, aligning and writing of different items overlap, since each is done on the item's own thread and none
holds the interpreter for long. Only a few items are in memory at a time.
"""

import contextlib
import json
import platform
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import warplens as wl
from warplens.analysis.item_analysis import ItemAnalysis, analyze_item
from warplens.analysis.report import ReportItem, write_report
from warplens.corpus.item_file import item_path, load_analysis, save_analysis
from warplens.corpus.progress import Progress
from warplens.corpus.settings import Settings
from warplens.corpus.sources import Source, collect
from warplens.corpus.table import Row, failed_row, rows_of, write_table
from warplens.io import ItemError
from warplens.io.replacing import replacing

_ITEMS_AHEAD = 4
"""Items a thread may be ahead of the one that is waited for: one slow item does not stop the others."""

COSTS_BLIND_TO_SILENCE = ("ce", "ce_logits")
"""Costs under which a target frame without activity costs nothing, so that it attracts predictions."""


@dataclass(frozen=True)
class Outcome:
    """What became of one item.

    Attributes:
        id: the item.
        rows: its rows of the table, ascending in gamma; a single one if it failed.
        error: why it failed, or None.
        warning: what to mind about its results, or None.
        reused: whether an earlier run had done it under the same settings.
    """

    id: str
    rows: list[Row]
    error: str | None = None
    warning: str | None = None
    reused: bool = False


@dataclass(frozen=True)
class Run:
    """What a run did: outcomes sorted by id, files that were ignored, and where table and report lie."""

    outcomes: list[Outcome]
    ignored: int
    table: Path
    report: Path

    @property
    def failed(self) -> list[Outcome]:
        """Items that could not be analysed."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]


def analyze(
    inputs: Sequence[Path],
    out: Path,
    settings: Settings | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run every item of the inputs at every gamma and write what that teaches into a folder.

    Writes OUT/items/<id>.npz, OUT/items.csv, OUT/report.html and OUT/run.json. The first three depend on
    inputs and settings alone, byte for byte; an item whose file was written under the same content and
    settings is not run again. An item that fails is a row with its reason and costs no other its results.

    Args:
        inputs: files and folders of npz files, see `warplens.io.Item` for their keys.
        out: folder for the results, made if it is not there.
        settings: what to run each item with.
        threads: items in work at a time; None as `warplens.get_num_threads()`.
        progress: is told of each item as it is done.

    Raises:
        InputError: an input is missing, nothing is found, or ids clash (see `collect`).
        OSError: the results cannot be written.
    """
    settings = settings or Settings()
    started = datetime.now(UTC)
    begun = time.monotonic()
    sources, ignored = collect(inputs, exclude=out)
    out.mkdir(parents=True, exist_ok=True)
    if progress:
        progress.started(len(sources), ignored)
    outcomes = []
    for outcome in _run_items(sources, out, settings, threads or wl.get_num_threads()):
        outcomes.append(outcome)
        if progress:
            progress.finished(outcome)
    rows = [row for outcome in outcomes for row in outcome.rows]
    run = Run(outcomes, ignored, out / "items.csv", out / "report.html")
    write_table(run.table, rows)
    known = {source.id: (source, outcome) for source, outcome in zip(sources, outcomes, strict=True)}
    write_report(
        out,
        rows,
        lambda item_id: _report_item(*known[item_id], out, settings),
        threshold=settings.threshold,
    )
    record = {
        "inputs": [str(path) for path in inputs],
        "settings": settings.as_record(),
        "items": len(outcomes),
        "failed": len(run.failed),
        "reused": sum(outcome.reused for outcome in outcomes),
        "ignored_files": ignored,
        "started": started.isoformat(),
        "seconds": round(time.monotonic() - begun, 3),
        "host": platform.node(),
        "versions": {
            "warplens": wl.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }
    with replacing(out / "run.json") as file:
        file.write((json.dumps(record, indent=2) + "\n").encode())
    return run


def _run_items(sources: Sequence[Source], out: Path, settings: Settings, threads: int) -> Iterator[Outcome]:
    waiting: deque[Future[Outcome]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="warplens-item")
    try:
        for source in sources:
            waiting.append(pool.submit(_run_item, source, out, settings))
            if len(waiting) >= threads * _ITEMS_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _run_item(source: Source, out: Path, settings: Settings) -> Outcome:
    path = item_path(out, source.id)
    try:
        item = source.read(fps=settings.fps)
        key = settings.key_of(item)
        analysis = load_analysis(path, key)
        reused = analysis is not None
        if analysis is None:
            analysis = analyze_item(
                item,
                gammas=settings.gammas,
                cost=settings.cost_of(item),
                step_weights=settings.step_weights_of(item),
                threshold=settings.threshold,
                keep_alignment=settings.keep_alignment,
            )
            save_analysis(path, analysis, key)
        return Outcome(source.id, rows_of(source.id, analysis), warning=_warning(analysis), reused=reused)
    except Exception as error:  # whatever is wrong with one item, the others are run
        reason = _reason(error)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)  # results of an earlier input under this name
        return Outcome(source.id, [failed_row(source.id, reason)], error=reason)


def _warning(analysis: ItemAnalysis) -> str | None:
    if analysis.cost not in COSTS_BLIND_TO_SILENCE or analysis.empty_targets == 0:
        return None
    worst = int(np.argmax(analysis.empty_share))
    return (
        f"under {analysis.cost} a target frame without activity costs nothing: such frames are "
        f"{analysis.empty_targets:.0%} of the target, and draw {analysis.empty_share[worst]:.0%} of the soft "
        f"alignment at gamma {analysis.gammas[worst]:g}"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ItemError):
        text = str(error)
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    elif isinstance(error, ValueError):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _report_item(source: Source, outcome: Outcome, out: Path, settings: Settings) -> ReportItem:
    """An item as the report shows it: its arrays are read back from its files."""
    if outcome.error is not None:
        return ReportItem(source.id, error=outcome.error)
    try:
        item = source.read(fps=settings.fps)
        analysis = load_analysis(item_path(out, source.id), settings.key_of(item))
    except (OSError, ItemError):
        analysis = None
    if analysis is None:
        return ReportItem(
            source.id, error="its file or its results changed while the report was being written"
        )
    return ReportItem(source.id, item, analysis, warning=outcome.warning)
