"""Input of a page for one item."""

from dataclasses import dataclass
from typing import Any

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.io import Item

Row = dict[str, Any]
"""A row of `items.csv` by column; a column that is missing or None is not known."""


@dataclass(frozen=True)
class Sound:
    """A sound file that belongs to an item.

    Attributes:
        path: relative to the folder of the report, with "/" between its parts.
        gamma: gamma of the Y_mod that is heard; None for other sounds, such as the recording.
        note: a few words on what is heard, such as "left the recording, right Y_mod".
    """

    path: str
    gamma: float | None = None
    note: str = ""


@dataclass(frozen=True)
class ReportItem:
    """An item with its analysis, or the reason why there is none.

    Attributes:
        id: name of the item on the page.
        item: predictions and targets; None where they could not be read.
        analysis: analysis of that item; None where there is none.
        error: why there is no analysis; None where there is one.
        warning: what the page is to say of the item besides.
        sounds: sounds of its targets, to be heard on the page.
    """

    id: str
    item: Item | None = None
    analysis: ItemAnalysis | None = None
    error: str | None = None
    warning: str | None = None
    sounds: tuple[Sound, ...] = ()
