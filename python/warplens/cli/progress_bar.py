"""Progress bar on a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class ProgressBar:
    """A bar on stderr, drawn anew ten times a second by a thread of its own, until it is stopped."""

    def __init__(self, total: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._bar.start()
        self._task = self._bar.add_task("items", total=total)

    def advance(self, text: str) -> None:
        """Advance by one step and show a text beside the bar."""
        self._bar.update(self._task, advance=1, description=escape(text))

    def stop(self) -> None:
        """Stop redrawing."""
        self._bar.stop()
