"""Items from npz files. Pickled objects are never loaded."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from warplens.io.item import Item, ItemError, make_item

KEYS = ("predictions", "weak", "strong", "fps", "lowest_pitch", "cost", "step_weights")


def read_npz(path: Path) -> Item:
    """Read one item: keys `predictions` and `weak`, and where known the other fields of `Item`.

    Raises:
        ItemError: the file is not an npz file, is damaged, holds Python objects under one of the keys, or its
            values do not make an item.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ItemError("not an npz file (a zip archive of npy arrays)")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                values = {key: _load(archive, key) for key in KEYS if key in archive}
                found = dict.fromkeys(archive.files)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise ItemError(f"damaged npz file: {error}") from error
    return make_item(found | values)


def _load(archive: Any, key: str) -> np.ndarray[Any, Any]:
    try:
        value = archive[key]
    except ValueError as error:
        raise ItemError(f"'{key}' cannot be loaded: {error}") from error
    if not isinstance(value, np.ndarray):
        raise ItemError(f"'{key}' is not an npy array")
    return value
