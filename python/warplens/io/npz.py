"""Items from npz files. Pickled objects are never loaded."""

import errno
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.io.item import Item, ItemError, make_item

KEYS = ("predictions", "weak", "strong", "fps", "lowest_pitch", "cost", "step_weights")

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What a damaged archive raises, depending on where it is hit."""


def read_npz(path: Path) -> Item:
    """Read one item: keys `predictions` and `weak`, and where known the other fields of `Item`.

    Raises:
        ItemError: the file is not an npz file, is damaged, holds Python objects under one of the keys, or its
            values do not make an item.
        OSError: the file cannot be read.
    """
    with open_npz(path) as archive:
        values = {key: _load(archive, key) for key in KEYS if key in archive}
        found = dict.fromkeys(archive)
    return make_item(found | values)


@contextmanager
def open_npz(path: Path) -> Iterator[Mapping[str, Any]]:
    """The arrays of an npz file, each read when it is asked for.

    Raises:
        ItemError: the file is not an npz file, or proves to be damaged within the `with` block.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ItemError("not an npz file (a zip archive of npy arrays)")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                yield archive
        except ItemError:
            raise
        except _DAMAGE as error:
            raise ItemError(f"damaged npz file: {error}") from error
        except OSError as error:
            # A damaged directory sends the reader to places that no file has.
            if error.errno == errno.EINVAL:
                raise ItemError("damaged npz file: it points outside itself") from error
            raise


def _load(archive: Mapping[str, Any], key: str) -> NDArray[Any]:
    try:
        value = archive[key]
    except ValueError as error:
        raise ItemError(f"'{key}' cannot be loaded: {error}") from error
    if not isinstance(value, np.ndarray):
        raise ItemError(f"'{key}' is not an npy array")
    return value
