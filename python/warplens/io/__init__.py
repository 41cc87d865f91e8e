"""Reading what `warplens analyze` looks at: predictions and targets of one recording an item."""

from warplens.io.item import Floats, Item, ItemError, make_item
from warplens.io.npz import open_npz, read_npz
from warplens.io.origin import DEFAULT_SIZE_LIMIT, ItemInFile

__all__ = [
    "DEFAULT_SIZE_LIMIT",
    "Floats",
    "Item",
    "ItemError",
    "ItemInFile",
    "make_item",
    "open_npz",
    "read_npz",
]
