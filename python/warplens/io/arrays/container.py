"""Interface of a file of any array format: named arrays and their declared sizes, read on demand."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any

from warplens.io.size_limit import Budget

KEYS = ("predictions", "weak", "strong", "fps", "lowest_pitch", "cost", "step_weights")
"""The keys of an item, the same in every format."""


class Container(ABC):
    """Arrays and values by name; a name has '/' between a group and a key.

    Any method may raise the error of a library for a damaged file; `formats.opened` makes it an `ItemError`.
    """

    def groups(self) -> list[str]:
        """Return the groups that are an item each; "" is the root."""
        return [""]

    @abstractmethod
    def keys_in(self, group: str) -> Collection[str]:
        """Return the keys in a group, "" for the root: for messages."""

    @abstractmethod
    def __contains__(self, name: object) -> bool:
        """Return True if there is an array or a value of this name."""

    @abstractmethod
    def size_of(self, name: str) -> int:
        """Return the bytes that an array declares to have, unpacked."""

    @abstractmethod
    def load(self, name: str) -> Any:
        """Return an array or value."""


def load_keys(container: Container, names: Mapping[str, str], budget: Budget) -> dict[str, Any]:
    """Read the values of those keys whose names exist, once all of them fit the budget."""
    existing = {key: name for key, name in names.items() if name in container}
    for key, name in existing.items():
        budget.take(key, container.size_of(name))
    return {key: container.load(name) for key, name in existing.items()}


def joined(group: str, key: str) -> str:
    """Return the name of a key in a group."""
    return f"{group}/{key}" if group else key
