"""Arrays in the npy format, and items that are a set of npy files. Pickled objects are never loaded.

A set is `<id>.predictions.npy` with `<id>.weak.npy`, and where known `<id>.strong.npy`, `<id>.fps.npy` and
so on; or `<id>.log_probs.npy` with `<id>.labels.npy` and so on.
"""

import io
import math
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.io.arrays.container import ALL_KEYS, LEADING_KEYS, Container
from warplens.io.errors import ItemError
from warplens.io.regular_file import check_regular

SET_SUFFIXES = tuple(f".{key}.npy" for key in LEADING_KEYS)

_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Readers by version; 3.0 differs in the field names of records only, which are no sequences."""


class NpyFiles(Container):
    """A set of npy files, or a single one under the key `predictions`."""

    def __init__(self, path: Path) -> None:
        self._files = {_leading_key(path) or "predictions": path, **_siblings(path)}

    def keys_in(self, group: str) -> Collection[str]:
        """Return the keys of the files that exist."""
        return () if group else self._files.keys()

    def __contains__(self, name: object) -> bool:
        """Return True if there is a file for this key."""
        return name in self._files

    def size_of(self, name: str) -> int:
        """Return the size of the file: an npy file is not packed."""
        check_regular(self._files[name])
        return self._files[name].stat().st_size

    def load(self, name: str) -> NDArray[Any]:
        """Return the array of a file."""
        try:
            return decode_npy(self._files[name].read_bytes())
        except ItemError as error:
            raise ItemError(f"{self._files[name].name} cannot be loaded: {error}") from error


def _siblings(path: Path) -> dict[str, Path]:
    """Return the files that belong to predictions or log-probabilities, by key."""
    leading = _leading_key(path)
    if leading is None:
        return {}
    stem = path.name[: -len(f".{leading}.npy")]
    paths = {key: path.with_name(f"{stem}.{key}.npy") for key in ALL_KEYS if key != leading}
    return {key: sibling for key, sibling in paths.items() if sibling.is_file()}


def files_of_set(path: Path) -> list[Path]:
    """Return the other files of a set of which this one holds the predictions, none if it does not."""
    return list(_siblings(path).values())


def belongs_to_set(path: Path) -> bool:
    """Return True if a file is another array of a set whose predictions, or log_probs, lie beside it."""
    for key in ALL_KEYS:
        if path.name.lower().endswith(f".{key}.npy"):
            stem = path.name[: -len(f".{key}.npy")]
            leading = LEADING_KEYS[: LEADING_KEYS.index(key)] if key in LEADING_KEYS else LEADING_KEYS
            return any(path.with_name(f"{stem}.{other}.npy").is_file() for other in leading)
    return False


def _leading_key(path: Path) -> str | None:
    """Return the key of a file that a set may begin with."""
    name = path.name.lower()
    return next((key for key in LEADING_KEYS if name.endswith(f".{key}.npy")), None)


def decode_npy(data: bytes | memoryview) -> NDArray[Any]:
    """Return the array of an npy file, read-only; its bytes are copied only where they are not aligned.

    Raises:
        ItemError: they are not an npy file, or hold Python objects, or the array that the header declares
            is not the rest of them.
    """
    (shape, fortran_order, dtype), start = _header(data)
    if dtype.hasobject:
        raise ItemError("it holds Python objects, which are never loaded; save plain numbers")
    if dtype.itemsize == 0 or dtype.subdtype is not None or min(shape, default=0) < 0:
        raise ItemError(f"damaged npy header: shape {shape}, dtype {dtype}")
    declared, present = math.prod(shape) * dtype.itemsize, len(data) - start
    if declared != present:
        raise ItemError(f"damaged npy array: shape {shape} of {dtype} takes {declared} bytes, not {present}")
    flat = np.frombuffer(data, dtype, offset=start) if present else np.empty(0, dtype)
    if not flat.flags.aligned:
        flat = flat.copy()
        flat.flags.writeable = False
    return flat.reshape(shape[::-1]).T if fortran_order else flat.reshape(shape)


def _header(data: bytes | memoryview) -> tuple[tuple[tuple[int, ...], bool, np.dtype[Any]], int]:
    """Return shape, order and dtype of an array, and where its values start."""
    try:
        version = np.lib.format.read_magic(io.BytesIO(data[:8]))
    except ValueError as error:
        raise ItemError("not an npy array") from error
    if version not in _HEADER_READERS:
        raise ItemError(f"npy format {version[0]}.{version[1]} is for records, it must hold plain numbers")
    start = 10 if version == (1, 0) else 12
    start += int.from_bytes(data[8:start], "little")
    return _parsed_header(version, bytes(data[8:start])), start


@lru_cache(1024)
def _parsed_header(version: tuple[int, int], header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    # Headers of a corpus repeat, and parsing one takes longer than reading a short array.
    try:
        return _HEADER_READERS[version](io.BytesIO(header))
    except Exception as error:  # the header is a Python literal: what a damaged one raises has no end
        raise ItemError(f"damaged npy header: {error}") from error
