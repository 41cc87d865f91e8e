"""Interface of a file of any array format: named arrays and their declared sizes, read on demand."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from warplens.io.errors import ItemError
from warplens.io.size_limit import Budget

KEYS = ("predictions", "weak", "strong", "fps", "lowest_pitch", "pitch_classes", "cost", "step_weights")
"""The keys of an item of features, the same in every format."""

LABEL_KEYS = (
    "log_probs",
    "predictions",
    "labels",
    "weak",
    "strong",
    "fps",
    "lowest_pitch",
    "label_names",
    "log_priors",
    "prior",
)
"""The keys of an item of labels."""

ALL_KEYS = (*KEYS, *(key for key in LABEL_KEYS if key not in KEYS))

LEADING_KEYS = ("predictions", "log_probs")
"""Keys one of which an item has: where both are, the first counts."""


_MARKS = ("_FillValue", "missing_value")
_PACKED = ("scale_factor", "add_offset")


class Container(ABC):
    """Arrays and values by name; a name has '/' between a group and a key.

    Any method may raise the error of a library for a damaged file; `formats.opened` makes it an `ItemError`.
    """

    def warnings(self, name: str) -> Sequence[str]:
        """Return what is to be told of an array beside its values, a sentence each."""
        return ()

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


def load_keys(
    container: Container, names: Mapping[str, str], budget: Budget, warnings: list[str] | None = None
) -> dict[str, Any]:
    """Read the values of those keys whose names exist, once all of them fit the budget; add to `warnings`."""
    existing = {key: name for key, name in names.items() if name in container}
    for key, name in existing.items():
        budget.take(key, container.size_of(name))
        if warnings is not None:
            warnings.extend(f"{key}: {text}" for text in container.warnings(name))
    return {key: container.load(name) for key, name in existing.items()}


def check_marks(name: str, array: Any, attributes: Mapping[str, Any]) -> None:
    """Check that an array holds none of the values that its attributes mark as missing, as netCDF has them.

    Raises:
        ItemError: it does, or its attributes say that its values are packed (`scale_factor`, `add_offset`).
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        return
    for mark in _MARKS:
        if mark in attributes:
            values = np.atleast_1d(np.asarray(attributes[mark]))
            count = np.count_nonzero(np.isin(array, values)) if values.dtype.kind in "iuf" else 0
            if count:
                raise ItemError(
                    f"'{name}' lacks {count} values: it holds {values.tolist()[0]}, which its attribute "
                    f"'{mark}' marks as missing"
                )
    if packed := [each for each in _PACKED if each in attributes]:
        raise ItemError(f"'{name}' is packed by its attribute '{packed[0]}'; save the numbers themselves")


def n_chunks(shape: Sequence[int], chunks: Sequence[int]) -> int:
    """Return the number of chunks of an array."""
    return math.prod(-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True))


def not_stored(missing: int, count: int, fill_value: Any) -> str:
    """Say that parts of an array are not in its file, which stands for a value."""
    return f"{missing} of {count} chunks are not stored and are read as the fill value {fill_value}"


def joined(group: str, key: str) -> str:
    """Return the name of a key in a group."""
    return f"{group}/{key}" if group else key
