"""Origins of items: small values that cross to other processes and are read there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warplens.io.arrays.container import KEYS, joined, load_keys
from warplens.io.arrays.formats import opened
from warplens.io.arrays.npz import open_npz
from warplens.io.errors import ItemError
from warplens.io.item import Item, make_item
from warplens.io.label_item import AnyItem, ItemKind, keys_of_kind, make_any_item
from warplens.io.size_limit import DEFAULT_SIZE_LIMIT, Budget


@dataclass(frozen=True)
class ItemInFile:
    """An item that is a file, or a group of one: its arrays and values are named as the fields of `Item`.

    Attributes:
        path: the file; of npy files the one with the predictions.
        group: within the file, "" for its root.
        allow_external: whether values that the file refers to in other files are read.
    """

    path: Path
    group: str = ""
    allow_external: bool = False

    @property
    def location(self) -> str:
        """File and group, for messages."""
        return f"{self.path}:{self.group}" if self.group else str(self.path)

    def read(
        self,
        *,
        size_limit: int | None = DEFAULT_SIZE_LIMIT,
        fps: float | None = None,
        pitch_classes: bool | None = None,
        kind: ItemKind = "features",
    ) -> AnyItem:
        """Read an item of a kind.

        Args:
            size_limit: most bytes that its arrays may take; None allows any number.
            fps: frames a second in place of that of the file; None keeps it.
            pitch_classes: fold lists of notes into twelve pitch classes, in place of what it says; None
                keeps that.
            kind: "features" for an `Item`; "labels", "multi-hot" or "tokens" for a `LabelItem`.

        Raises:
            ItemError: the file is not an item, or its arrays would take more than `size_limit` bytes.
            OSError: the file cannot be read.
        """
        warnings: list[str] = []
        values = read_values(
            self.path,
            names_in(self.group, kind),
            Budget(size_limit),
            allow_external=self.allow_external,
            warnings=warnings,
        )
        values = overridden(values, fps=fps, pitch_classes=pitch_classes)
        return make_any_item(kind, values, warnings=warnings)


@dataclass(frozen=True)
class NoItem:
    """Placeholder whose read raises `reason`.

    Attributes:
        location: where it is, for messages.
        reason: why it is no item.
    """

    location: str
    reason: str

    def read(
        self,
        *,
        size_limit: int | None = DEFAULT_SIZE_LIMIT,
        fps: float | None = None,
        pitch_classes: bool | None = None,
        kind: ItemKind = "features",
    ) -> AnyItem:
        """Raise `ItemError` with the reason.

        Args:
            size_limit: of no use here, as are all others; they are those of `ItemInFile.read`.
            fps: of no use.
            pitch_classes: of no use.
            kind: of no use.

        Raises:
            ItemError: always.
        """
        raise ItemError(self.reason)


def overridden(values: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Return values of an item with those in place of theirs that are given, not None."""
    return {**values, **{key: value for key, value in given.items() if value is not None}}


def read_values(
    path: Path,
    names: Mapping[str, str],
    budget: Budget,
    *,
    needed: str = "",
    allow_external: bool = False,
    warnings: list[str] | None = None,
) -> dict[str, Any]:
    """Read the values of an item from a file, by key; other keys of the file are None.

    Args:
        path: a file of any format with arrays.
        names: the keys that are looked for, and their names in the file.
        budget: bytes that may be read.
        needed: a key that must be there.
        allow_external: read values that the file refers to in other files.
        warnings: is added what is to be told of the values.

    Raises:
        ItemError: the file is of no known format, damaged or too large; the needed key is not in it, or in
            another file.
        OSError: it cannot be read.
    """
    with opened(path, allow_external=allow_external) as container:
        values = load_keys(container, names, budget, warnings)
        if needed and needed not in values:
            keys = ", ".join(sorted(container.keys_in(names[needed].rpartition("/")[0]))[:20]) or "none"
            raise ItemError(f"{path.name} has no array '{names[needed]}' (keys found: {keys})")
        if not ({"predictions", "weak"} <= values.keys() or {"log_probs", "labels"} <= values.keys()):
            group = names["predictions"].rpartition("/")[0] if "predictions" in names else ""
            values = dict.fromkeys(container.keys_in(group)) | values
    return values


def names_in(group: str, kind: ItemKind) -> dict[str, str]:
    """Return the names of all keys of an item in a group."""
    return {key: joined(group, key) for key in keys_of_kind(kind)}


def read_npz(path: Path, *, size_limit: int | None = None) -> Item:
    """Read one item: keys `predictions` and `weak`, and where known the other fields of `Item`.

    Args:
        path: an npz file.
        size_limit: most bytes that the arrays may take; None allows any number.

    Raises:
        ItemError: the file is not an npz file, is damaged, holds Python objects under one of the keys, its
            values do not make an item or would take more than `size_limit` bytes.
        OSError: the file cannot be read.
    """
    names = {key: key for key in KEYS}
    with open_npz(path) as archive:
        return make_item(dict.fromkeys(archive) | load_keys(archive, names, Budget(size_limit)))
