"""Items of the report: their arrays read back from their files, their pages drawn, in any process."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from warplens.analysis.losses.item import with_faded_targets
from warplens.analysis.losses.shown import shown_item
from warplens.analysis.report import ItemPage, ReportItem, Sound
from warplens.corpus.inputs.source import Source
from warplens.corpus.item_work import ItemWork
from warplens.io import ItemError


@dataclass(frozen=True)
class DrawPage:
    """Work for the engine: the page of an item that was done.

    Attributes:
        draw: writes the page.
        work: the work that was done on the items.
        warnings: warning of each item, by id.
    """

    draw: ItemPage
    work: ItemWork
    warnings: Mapping[str, str | None]

    def __call__(self, source: Source) -> bool:
        """Draw the page and return True if it was written."""
        return self.draw(report_item(source, self.work, self.warnings[source.id]))


def remove_pages(out: Path, ids: Iterable[str]) -> None:
    """Remove the pages of these items, some of which an earlier run drew and this one does not."""
    # Few of many items have a page, so those that are there are looked for, not those that could be.
    items, known = out / "items", set(ids)
    for folder, _, names in os.walk(items):
        for name in names:
            if not name.endswith(".html"):
                continue
            path = Path(folder, name)
            if path.relative_to(items).as_posix().removesuffix(".html") in known:
                with contextlib.suppress(OSError):
                    path.unlink()


def no_page(source: Source, reason: str) -> bool:
    """Return False for a page that cannot be drawn, which the index then leaves out."""
    return False


def report_item(source: Source, work: ItemWork, warning: str | None) -> ReportItem:
    """Return an item that was done, with its analysis and sounds."""
    sounds: tuple[Sound, ...] = ()
    try:
        read, analysis = work.read_back(source)
        sounds = work.sounds_of(source)
    except (OSError, ItemError):
        analysis = None
    if analysis is None:
        return ReportItem(
            source.id, error="its file or its results changed while the report was being written"
        )
    item = shown_item(read, analysis)
    return ReportItem(source.id, item, with_faded_targets(analysis), warning=warning, sounds=sounds)
