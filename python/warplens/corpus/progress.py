"""Who wants to hear how a run goes."""

from typing import Protocol


class Finished(Protocol):
    """What became of one item, whatever was done with it."""

    @property
    def id(self) -> str:
        """The item."""

    @property
    def error(self) -> str | None:
        """Why it failed, or None."""

    @property
    def reused(self) -> bool:
        """Whether an earlier run had done it under the same settings."""


class Progress(Protocol):
    """Is told how a run goes."""

    def started(self, total: int, ignored: int) -> None:
        """`total` items were found, `ignored` other files were not looked at."""

    def finished(self, outcome: Finished) -> None:
        """One more item is done; they come in the order of their ids."""
