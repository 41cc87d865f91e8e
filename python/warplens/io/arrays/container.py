"""What a file of any array format offers: named arrays and their declared sizes, read when asked for."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any

from warplens.io.size_limit import Budget

KEYS = ("predictions", "weak", "strong", "fps", "lowest_pitch", "cost", "step_weights")
"""The keys of an item, the same in every format."""


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


def load_keys(container: Container, names: Mapping[str, str], budget: Budget) -> dict[str, Any]:
    """The values of given keys, by their names, as far as there are any; read once all fit the budget."""
    found = {key: name for key, name in names.items() if name in container}
    for key, name in found.items():
        budget.take(key, container.size_of(name))
    return {key: container.load(name) for key, name in found.items()}


def joined(group: str, key: str) -> str:
    """The name of a key in a group."""
    return f"{group}/{key}" if group else key
