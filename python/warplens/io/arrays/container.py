"""What a file of any array format offers: named arrays and their declared sizes, read when asked for."""

import stat
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from warplens.io.errors import ItemError

KEYS = ("predictions", "weak", "strong", "fps", "lowest_pitch", "cost", "step_weights")
"""The keys of an item, the same in every format."""

DEFAULT_SIZE_LIMIT = 4 << 30
"""Bytes that the arrays of one item may take unless another limit is told."""


class Container(ABC):
    """Arrays and values by name; a name has '/' between a group and a key.

    What a library says of a damaged file comes out of any method as it is; `formats.opened` makes it an
    `ItemError`.
    """

    def groups(self) -> list[str]:
        """The groups that are an item each; "" is the root."""
        return [""]

    @abstractmethod
    def keys_in(self, group: str) -> Collection[str]:
        """The keys in a group, "" for the root: for messages."""

    @abstractmethod
    def __contains__(self, name: object) -> bool:
        """Whether there is an array or a value of this name."""

    @abstractmethod
    def size_of(self, name: str) -> int:
        """Bytes that the array declares to have, unpacked."""

    @abstractmethod
    def load(self, name: str) -> Any:
        """The array or value."""


class Budget:
    """Bytes that the arrays of one item may still take; None is without limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._taken = 0

    def take(self, what: str, size: int) -> None:
        """Count an array before it is read.

        Raises:
            ItemError: with it the item would be larger than the limit.
        """
        self._taken += size
        if self._limit is not None and self._taken > self._limit:
            raise ItemError(
                f"'{what}' declares {amount(size)}, so that the item would take {amount(self._taken)}: the "
                f"limit is {amount(self._limit)} an item (--size-limit)"
            )


def load_keys(container: Container, names: Mapping[str, str], budget: Budget) -> dict[str, Any]:
    """The values of given keys, by their names, as far as there are any; read once all fit the budget."""
    found = {key: name for key, name in names.items() if name in container}
    for key, name in found.items():
        budget.take(key, container.size_of(name))
    return {key: container.load(name) for key, name in found.items()}


def joined(group: str, key: str) -> str:
    """The name of a key in a group."""
    return f"{group}/{key}" if group else key


def check_regular(path: Path) -> None:
    """See that a path is a file that can be read to its end: opening a pipe could wait for ever.

    Raises:
        ItemError: it is something else.
        OSError: there is nothing of this name, or it may not be looked at.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise ItemError("is a folder, not a file" if stat.S_ISDIR(mode) else "not a regular file")


def amount(size: int) -> str:
    """A number of bytes for a sentence."""
    if size < 1 << 20:
        return f"{size} bytes"
    return f"{size / (1 << 20):.1f} MiB" if size < 1 << 30 else f"{size / (1 << 30):.1f} GiB"
