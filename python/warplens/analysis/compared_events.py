"""Events of one item under two losses or two networks: which of them each keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ComparedEvents:
    """K events of an item, or of many together.

    Attributes:
        id: the item.
        kept_by_first: True where the first keeps the event, its peak at or above the threshold, (K,).
        kept_by_second: True where the second does, (K,).
        word: what the events are called, "event" or, of a loss of labels, "label".
    """

    id: str
    kept_by_first: NDArray[np.bool_]
    kept_by_second: NDArray[np.bool_]
    word: str = "event"

    @property
    def events(self) -> int:
        """Number of events."""
        return len(self.kept_by_first)

    @property
    def regained(self) -> NDArray[np.bool_]:
        """True where the second keeps what the first loses, (K,)."""
        return ~self.kept_by_first & self.kept_by_second

    @property
    def newly_lost(self) -> NDArray[np.bool_]:
        """True where the second loses what the first keeps, (K,)."""
        return self.kept_by_first & ~self.kept_by_second

    @property
    def n_regained(self) -> int:
        """Number of events that the second keeps and the first loses."""
        return int(np.count_nonzero(self.regained))

    @property
    def n_newly_lost(self) -> int:
        """Number of events that the second loses and the first keeps."""
        return int(np.count_nonzero(self.newly_lost))

    @property
    def lost_by_first(self) -> int:
        """Number of events that the first loses."""
        return int(np.count_nonzero(~self.kept_by_first))

    @property
    def lost_by_second(self) -> int:
        """Number of events that the second loses."""
        return int(np.count_nonzero(~self.kept_by_second))

    @property
    def changed(self) -> int:
        """Number of events that one of them keeps and the other loses."""
        return self.n_regained + self.n_newly_lost


def pool_compared(items: Sequence[ComparedEvents], id: str) -> ComparedEvents:
    """Join the events of items under a name for all of them."""
    nothing = [np.zeros(0, np.bool_)]
    return ComparedEvents(
        id,
        np.concatenate(nothing + [item.kept_by_first for item in items]),
        np.concatenate(nothing + [item.kept_by_second for item in items]),
        word="label" if items and all(item.word == "label" for item in items) else "event",
    )


def most_changed_first(items: Sequence[ComparedEvents]) -> list[ComparedEvents]:
    """Order items by how many events changed, then by id."""
    return sorted(items, key=lambda item: (-item.changed, item.id))
