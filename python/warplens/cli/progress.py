"""Progress of a run on stderr: a bar on a terminal, a line an item elsewhere."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from warplens.cli.output import printable
from warplens.corpus.progress import Finished

if TYPE_CHECKING:
    from warplens.cli.progress_bar import ProgressBar


class ProgressReport:
    """A listener to a run (see `warplens.corpus.Progress`) that prints while its `with` block lasts."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Set it up; a quiet one prints nothing."""
        self._quiet = quiet
        self._bar: ProgressBar | None = None
        self._total = self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def started(self, total: int, ignored: int) -> None:
        """Print the number of ignored files and start a bar on a terminal."""
        self._total = total
        if self._quiet:
            return
        if ignored:
            click.echo(f"{ignored} other file{'s' if ignored > 1 else ''} ignored", err=True)
        if sys.stderr is not None and sys.stderr.isatty():  # None where it is closed
            # Here, since only a terminal needs it, and it takes longer to import than many items to do.
            from warplens.cli.progress_bar import ProgressBar

            self._bar = ProgressBar(total)

    def finished(self, outcome: Finished) -> None:
        """Print one more item."""
        self._done += 1
        if self._quiet:
            return
        if self._bar:
            self._bar.advance(printable(outcome.id))
            if self._done == self._total:
                self._bar.stop()
            return
        width = len(str(self._total))
        state = "failed" if outcome.error is not None else "already done" if outcome.reused else "done"
        click.echo(f"{self._done:{width}}/{self._total} {printable(outcome.id)}: {state}", err=True)
