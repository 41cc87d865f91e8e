"""The work of `analyze` on one item, in any process: read, align at every gamma, write, return rows."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.losses.alignments import rows_warning
from warplens.analysis.losses.item import analyze_by_loss, with_faded_targets
from warplens.analysis.losses.shown import shown_item
from warplens.analysis.silent_targets import silence_warning
from warplens.corpus.inputs.source import Source
from warplens.corpus.memory_limit import bytes_by_loss, bytes_to_analyze, check_memory
from warplens.corpus.results.figures import has_figures, key_with_figures, remove_figures, write_figures
from warplens.corpus.results.item_file import item_path, load_analysis, save_analysis
from warplens.corpus.results.sounds import (
    find_recording,
    has_sounds,
    key_with_sounds,
    recording_warning,
    remove_sounds,
    sounds_of,
    write_sounds,
)
from warplens.corpus.results.table import Measured, Row, failed_row, rows_of
from warplens.corpus.settings import Settings
from warplens.io import AnyItem, Item

if TYPE_CHECKING:
    from warplens.analysis.report import Sound


@dataclass(frozen=True)
class Outcome:
    """Outcome of one item.

    Attributes:
        id: the item.
        measured: its values for the table, None if it failed.
        error: why it failed, or None.
        warning: a caution about its results, or None.
        reused: whether an earlier run had done it under the same settings.
    """

    id: str
    measured: Measured | None = None
    error: str | None = None
    warning: str | None = None
    reused: bool = False

    @property
    def rows(self) -> list[Row]:
        """Rows of the table, ascending in gamma; a single one if the item failed."""
        if self.measured is None:
            return [failed_row(self.id, self.error or "")]
        return rows_of(self.id, self.measured)


@dataclass(frozen=True)
class ItemWork:
    """The work of a run, the same for every item; sent to the processes that do it.

    Attributes:
        out: folder of the results.
        settings: what to run each item with.
        size_limit: bytes that the arrays of one item may take, its alignments among them, None for any.
    """

    out: Path
    settings: Settings
    size_limit: int | None

    def __call__(self, source: Source) -> Outcome:
        """Do one item, unless its file shows that it was done under the same content and settings.

        Raises:
            ItemError: it is no item, has no cost, or its alignments are larger than the limit.
            ValueError: it cannot be aligned, or its id cannot name a file.
            OSError: it cannot be read or its results cannot be written.
        """
        settings = self.settings
        item = self.read(source)
        path = item_path(self.out, source.id)
        key = self.key_of(source, item)
        analysis = load_analysis(path, key)
        reused = analysis is not None
        if analysis is None:
            check_memory(self._bytes_needed(item), item, self.size_limit)
            analysis = analyze_by_loss(
                item,
                settings.loss,
                gammas=settings.gammas,
                cost=settings.cost_of(item),
                step_weights=settings.step_weights_of(item),
                threshold=settings.threshold,
                keep_alignment=settings.keep_alignment,
            )
        silence = silence_warning(
            analysis.cost, analysis.empty_targets, analysis.empty_share, analysis.gammas
        )
        warnings = [*item.warnings, silence, rows_warning(item, settings.loss)]
        if settings.sonify or settings.figures:
            warnings += self._write_views(source, shown_item(item, analysis), analysis, reused)
        if not reused:
            save_analysis(path, analysis, key)  # last: it says that all is there
        warning = "; ".join(each for each in warnings if each is not None)
        return Outcome(source.id, Measured.of(analysis), warning=warning or None, reused=reused)

    def _bytes_needed(self, item: AnyItem) -> int:
        settings = self.settings
        if not isinstance(item, Item) or settings.loss.name != "sdtw":
            return bytes_by_loss(item, settings.loss, n_gammas=len(settings.gammas))
        return bytes_to_analyze(
            item,
            n_gammas=len(settings.gammas),
            step_weights=settings.step_weights_of(item),
            keep_alignment=settings.keep_alignment,
            figures=settings.figures,
        )

    def _write_views(
        self, source: Source, item: Item, analysis: ItemAnalysis, reused: bool
    ) -> list[str | None]:
        """Write sounds and figures that are not there, and return what is to be told of them."""
        settings, shown, warnings = self.settings, with_faded_targets(analysis), []
        if settings.sonify:
            warnings.append(recording_warning(settings.recordings, source.id, item))
        if settings.sonify and not (reused and has_sounds(self.out, source.id, settings.gammas)):
            recording = find_recording(settings.recordings, source.id)
            warnings.append(write_sounds(self.out, source.id, item, shown, recording))
        if settings.figures and not (reused and has_figures(self.out, source.id)):
            write_figures(self.out, source.id, item, shown)
        return warnings

    def read(self, source: Source) -> AnyItem:
        """Read an item as it is worked on; errors as `Source.read`."""
        settings = self.settings
        return source.read(
            size_limit=self.size_limit,
            fps=settings.fps,
            pitch_classes=settings.pitch_classes or None,
            kind=settings.loss.kind,
        )

    def read_back(self, source: Source) -> tuple[AnyItem, ItemAnalysis | None]:
        """Return the item and its results, None if its file holds others; errors as `Source.read`."""
        item = self.read(source)
        return item, load_analysis(item_path(self.out, source.id), self.key_of(source, item))

    def sounds_of(self, source: Source) -> "tuple[Sound, ...]":
        """Return the sounds of an item as the report names them, none if the run writes none."""
        if not self.settings.sonify:
            return ()
        recording = find_recording(self.settings.recordings, source.id)
        return sounds_of(self.out, source.id, self.settings.gammas, recording)

    def key_of(self, source: Source, item: AnyItem) -> str:
        """Return a hash of everything that the files of an item depend on."""
        key = self.settings.key_of(item)
        if self.settings.sonify:
            key = key_with_sounds(key, find_recording(self.settings.recordings, source.id))
        return key_with_figures(key) if self.settings.figures else key

    def failed(self, source: Source, reason: str) -> Outcome:
        """Return the outcome of an item that could not be done; remove older results of its name."""
        with contextlib.suppress(OSError, ValueError):
            item_path(self.out, source.id).unlink(missing_ok=True)
            remove_sounds(self.out, source.id, self.settings.gammas)
            remove_figures(self.out, source.id)
        return Outcome(source.id, error=reason)
