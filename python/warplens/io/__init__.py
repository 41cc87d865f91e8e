"""Items from files: predictions and targets of one recording each."""

from warplens.io.arrays.npz import open_npz
from warplens.io.errors import ItemError
from warplens.io.item import Floats, Item, make_item
from warplens.io.label_item import AnyItem, ItemKind, LabelItem, make_label_item
from warplens.io.manifest import ItemOfRow, ManifestError, read_manifest
from warplens.io.notes.notes import Notes, PlacedNotes, place_notes, roll_of
from warplens.io.origin import ItemInFile, NoItem, read_npz
from warplens.io.size_limit import DEFAULT_SIZE_LIMIT

__all__ = [
    "DEFAULT_SIZE_LIMIT",
    "AnyItem",
    "Floats",
    "Item",
    "ItemError",
    "ItemInFile",
    "ItemKind",
    "ItemOfRow",
    "LabelItem",
    "ManifestError",
    "NoItem",
    "Notes",
    "PlacedNotes",
    "make_item",
    "make_label_item",
    "open_npz",
    "place_notes",
    "read_manifest",
    "read_npz",
    "roll_of",
]
