"""Progress-listener protocols."""

from typing import Protocol


class Finished(Protocol):
    """Outcome of one item, whatever the work was."""

    @property
    def id(self) -> str:
        """Id of the item."""

    @property
    def error(self) -> str | None:
        """Reason why the item failed, or None."""

    @property
    def reused(self) -> bool:
        """True if an earlier run had done the item under the same settings."""


class Progress(Protocol):
    """Listener to the progress of a run: whatever has these two methods."""

    def started(self, total: int, ignored: int) -> None:
        """Receive the number of items and of other files, which are ignored, before the first item.

        Args:
            total: items of the run.
            ignored: files of the folder that are no items.
        """

    def finished(self, outcome: Finished) -> None:
        """Receive the outcome of one more item, in the order of their ids."""
