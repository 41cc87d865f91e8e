"""What `analyze` does with one item, in whatever process: read, align at every gamma, write, tell rows."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from warplens.analysis.item_analysis import ItemAnalysis, analyze_item
from warplens.corpus.item_file import item_path, load_analysis, save_analysis
from warplens.corpus.settings import Settings
from warplens.corpus.sources import Source
from warplens.corpus.table import Row, failed_row, rows_of

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
class ItemWork:
    """The work of a run, the same for every item and sent to whoever does it.

    Attributes:
        out: folder of the results.
        settings: what to run each item with.
        size_limit: bytes that the arrays of one item may take, None for any.
    """

    out: Path
    settings: Settings
    size_limit: int | None

    def __call__(self, source: Source) -> Outcome:
        """Do one item, unless its file shows that it was done under the same content and settings.

        Raises:
            ItemError: it is no item, or has no cost.
            ValueError: it cannot be aligned, or its id cannot name a file.
            OSError: it cannot be read or its results cannot be written.
        """
        settings = self.settings
        item = source.read(size_limit=self.size_limit, fps=settings.fps)
        path = item_path(self.out, source.id)
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

    def failed(self, source: Source, reason: str) -> Outcome:
        """The outcome of an item that could not be done; results of an earlier input of its name go."""
        with contextlib.suppress(OSError, ValueError):
            item_path(self.out, source.id).unlink(missing_ok=True)
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
