"""The work of `sweep` on one item, in any process: read, align at every gamma, write the sums."""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from warplens.analysis.losses.alignments import rows_warning
from warplens.analysis.silent_targets import silence_warning
from warplens.analysis.sweep.gamma_sweep import GammaSweep
from warplens.analysis.sweep.item_sweep import sweep_item
from warplens.analysis.sweep.loss_item_sweep import sweep_gammas_by_loss, sweep_settings
from warplens.analysis.sweep.setting_sweep import BlankSetting, SettingSweep
from warplens.corpus.inputs.source import Source
from warplens.corpus.memory_limit import bytes_by_loss, bytes_to_sweep, check_memory
from warplens.corpus.results.sweep_file import load_sweep, save_sweep, sweep_path
from warplens.corpus.settings import Settings
from warplens.io import AnyItem, Item

_FORMAT = 3
"""Version of the sums, raised when the same input and settings give others: older files are redone."""


@dataclass(frozen=True)
class SweepOutcome:
    """Outcome of one item.

    Attributes:
        id: the item.
        sweep: its sums at every gamma, None if it failed.
        error: why it failed, or None.
        reused: whether an earlier run had done it under the same settings.
        warning: a caution about its results, or None.
    """

    id: str
    sweep: GammaSweep | SettingSweep | None = None
    error: str | None = None
    reused: bool = False
    warning: str | None = None


@dataclass(frozen=True)
class SweepWork:
    """The work of a sweep, the same for every item; sent to the processes that do it.

    Attributes:
        out: folder of the results.
        settings: gammas, cost, step weights, threshold and fps.
        size_limit: bytes that the arrays of one item may take, its alignments among them, None for any.
        grid: settings of a loss with blanks to sweep over; none for a sweep over gamma alone.
    """

    out: Path
    settings: Settings
    size_limit: int | None
    grid: tuple[BlankSetting, ...] = ()

    def __call__(self, source: Source) -> SweepOutcome:
        """Do one item, unless its file shows that it was done under the same content and settings.

        Raises:
            ItemError: it is no item, has no cost, or its alignments are larger than the limit.
            ValueError: it cannot be aligned, or its id cannot name a file.
            OSError: it cannot be read or its sums cannot be written.
        """
        settings = self.settings
        item = source.read(
            size_limit=self.size_limit,
            fps=settings.fps,
            pitch_classes=settings.pitch_classes or None,
            kind=settings.loss.kind,
        )
        path = sweep_path(self.out, source.id)
        grid = f" {self.grid}" if self.grid else ""
        dependencies = f"sweep {_FORMAT} {settings.key_of(item)}{grid}"
        key = hashlib.blake2b(dependencies.encode(), digest_size=20).hexdigest()
        known: GammaSweep | SettingSweep | None
        known = load_sweep(path, key, SettingSweep) if self.grid else load_sweep(path, key, GammaSweep)
        if known is not None:
            return SweepOutcome(source.id, known, reused=True, warning=self._warning(item, known))
        result = self._swept(item)
        save_sweep(path, result, key)
        return SweepOutcome(source.id, result, warning=self._warning(item, result))

    def _swept(self, item: AnyItem) -> GammaSweep | SettingSweep:
        settings, loss = self.settings, self.settings.loss
        weights, cost = settings.step_weights_of(item), settings.cost_of(item)
        if isinstance(item, Item) and loss.name == "sdtw":
            assert cost is not None
            check_memory(bytes_to_sweep(item, step_weights=weights), item, self.size_limit)
            return sweep_item(
                item,
                gammas=settings.gammas,
                cost=cost,
                step_weights=weights,
                threshold=settings.threshold,
            )
        check_memory(bytes_by_loss(item, loss, n_gammas=1), item, self.size_limit)
        if self.grid:
            return sweep_settings(
                item, loss, settings=self.grid, step_weights=weights, threshold=settings.threshold
            )
        return sweep_gammas_by_loss(
            item,
            loss,
            gammas=settings.gammas,
            cost=cost,
            step_weights=weights,
            threshold=settings.threshold,
        )

    def _warning(self, item: AnyItem, swept: GammaSweep | SettingSweep) -> str | None:
        warnings = [*item.warnings, rows_warning(item, self.settings.loss)]
        if isinstance(swept, GammaSweep):
            silent = swept.silent_targets / max(swept.targets, 1)
            cost = self.settings.cost_of(item) or ""
            warnings.append(silence_warning(cost, silent, swept.silence_drawn, swept.gammas))
        return "; ".join(each for each in warnings if each is not None) or None

    def failed(self, source: Source, reason: str) -> SweepOutcome:
        """Return the outcome of an item that could not be done; remove older sums of its name."""
        with contextlib.suppress(OSError, ValueError):
            sweep_path(self.out, source.id).unlink(missing_ok=True)
        return SweepOutcome(source.id, error=reason)
