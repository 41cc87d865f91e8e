"""Where an item is read from: small values that cross to other processes and are read there."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from warplens.io.item import Item
from warplens.io.npz import read_npz

DEFAULT_SIZE_LIMIT = 4 << 30
"""Bytes that the arrays of one item may take unless another limit is told."""


@dataclass(frozen=True)
class ItemInFile:
    """An item that is a file."""

    path: Path

    @property
    def location(self) -> str:
        """The file, for messages."""
        return str(self.path)

    def read(self, *, size_limit: int | None = DEFAULT_SIZE_LIMIT, fps: float | None = None) -> Item:
        """Read the item; `fps` overrides that of the file.

        Raises:
            ItemError: the file is not an item, or its arrays would take more than `size_limit` bytes.
            OSError: the file cannot be read.
        """
        item = read_npz(self.path)
        return item if fps is None else dataclasses.replace(item, fps=fps)
