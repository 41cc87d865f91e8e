"""Arrays from HDF5 files, opened for the first of them and kept open by each process on its own.

Values that are not sequences (`fps`, `cost`, ...) may be datasets or attributes of a group, or attributes
of the root, which hold for all its groups.
"""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from warplens.io.arrays.container import KEYS, Container
from warplens.io.arrays.open_files import OpenFiles
from warplens.io.errors import ItemError
from warplens.io.regular_file import check_regular

_open_files = OpenFiles(lambda path: h5py.File(path, "r"))


class Hdf5File(Container):
    """An HDF5 file."""

    def __init__(self, path: Path) -> None:
        check_regular(path)
        self._file = _open_files.get(path)

    def groups(self) -> list[str]:
        """Return the groups that have `predictions`; only "" when the root has. Links are not followed."""
        if isinstance(self._file.get("predictions"), h5py.Dataset):
            return [""]
        groups: list[str] = []

        def visit(name: str, node: Any) -> None:
            # Names that are no Unicode come as bytes.
            group, _, key = name.rpartition("/") if isinstance(name, str) else ("", "", "")
            if key == "predictions" and isinstance(node, h5py.Dataset):
                groups.append(group)

        self._file.visititems(visit)
        return groups

    def keys_in(self, group: str) -> Collection[str]:
        """Return the datasets, groups and attributes of a group."""
        node = self._file[group] if group else self._file
        return (
            {str(key) for key in (*node.keys(), *node.attrs.keys())} if isinstance(node, h5py.Group) else ()
        )

    def __contains__(self, name: object) -> bool:
        """Return True if there is a dataset of this name, or an attribute in its place."""
        return isinstance(name, str) and (
            self._dataset(name) is not None or self._attribute(name) is not None
        )

    def size_of(self, name: str) -> int:
        """Return the bytes of a dataset, or of one of its chunks if larger, by declared shape."""
        dataset = self._dataset(name)
        if dataset is None or dataset.shape is None:
            return 0
        chunk = math.prod(dataset.chunks) if dataset.chunks else 0
        return int(max(math.prod(dataset.shape), chunk) * dataset.dtype.itemsize)

    def load(self, name: str) -> Any:
        """Return an array or value."""
        dataset = self._dataset(name)
        if dataset is None:
            return _plain(self._attribute(name))
        if dataset.shape is None:
            raise ItemError(f"'{name}' is an empty dataset, without a shape")
        if h5py.check_string_dtype(dataset.dtype) is not None:
            return _plain(dataset[()]) if dataset.shape == () else np.asarray(dataset.asstr()[()], np.str_)
        if dataset.dtype.hasobject:
            raise ItemError(f"'{name}' has dtype {dataset.dtype}, it must hold plain numbers")
        return dataset[()]

    def _dataset(self, name: str) -> Any:
        node = self._file.get(name)
        return node if isinstance(node, h5py.Dataset) else None

    def _attribute(self, name: str) -> Any:
        group, _, key = name.rpartition("/")
        if key not in KEYS:
            return None
        for place in (group, ""):
            node = self._file.get(place) if place else self._file
            if isinstance(node, h5py.Group) and key in node.attrs:
                value = node.attrs[key]
                return None if isinstance(value, h5py.Empty) else value
        return None


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
