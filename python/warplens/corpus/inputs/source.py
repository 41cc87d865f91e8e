"""Items that are not read yet, and the rules for their ids."""

from dataclasses import dataclass

from warplens.io import DEFAULT_SIZE_LIMIT, AnyItem, ItemInFile, ItemKind, ItemOfRow, NoItem

POOLED_ID = "all"
"""Id of all items together in tables, which no item may have."""


class InputError(ValueError):
    """Inputs of a run that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Source:
    """An item that is not read yet: small, and the same in every process.

    Attributes:
        id: names the item in tables and its file; one that `check_id` accepts.
        origin: where it is read from.
    """

    id: str
    origin: ItemInFile | ItemOfRow | NoItem

    @property
    def location(self) -> str:
        """Place the item is read from, for messages."""
        return self.origin.location

    def read(
        self,
        *,
        size_limit: int | None = DEFAULT_SIZE_LIMIT,
        fps: float | None = None,
        pitch_classes: bool | None = None,
        kind: ItemKind = "features",
    ) -> AnyItem:
        """Read the item.

        Args:
            size_limit: bytes that the arrays of one item may take, None for any.
            fps: overrides the frames a second of the item.
            pitch_classes: overrides whether lists of notes are folded into pitch classes.
            kind: how its targets are given.

        Raises:
            ItemError: it is not an item, or is larger than the limit.
            OSError: it cannot be read.
        """
        return self.origin.read(size_limit=size_limit, fps=fps, pitch_classes=pitch_classes, kind=kind)


def check_id(item_id: str) -> str:
    """Check that an id can name an item and a file within a folder, and return it.

    Raises:
        InputError: it is "all" or empty, is absolute, or has a part that would lead out of the folder.
    """
    if item_id == POOLED_ID:
        raise InputError(
            f"an item cannot be called '{POOLED_ID}', which stands for all items together: rename its file"
        )
    parts = item_id.split("/")
    if item_id.startswith("/") or "\\" in item_id or "\0" in item_id:
        raise InputError(
            f"'{item_id}' cannot be an id: it must be a relative path with '/' between its parts"
        )
    if any(part in ("", ".", "..") for part in parts):
        raise InputError(f"'{item_id}' cannot be an id: it has an empty part, '.' or '..'")
    return item_id
