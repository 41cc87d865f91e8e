"""Arrays from zarr groups, format 2 or 3, in folders or zip files.

Values that are not sequences (`fps`, `cost`, ...) may be arrays or attributes of a group, or attributes of
the root, which hold for all its groups.
"""

import json
import math
import os
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import zarr

from warplens.io.arrays.container import KEYS, Container
from warplens.io.arrays.open_files import OpenFiles
from warplens.io.errors import ItemError
from warplens.io.regular_file import check_regular

_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


class _Zip:
    """A zip file of zarr groups, and the unpacked size of each of its folders."""

    def __init__(self, path: Path) -> None:
        self.store = zarr.storage.ZipStore(path, mode="r")
        self.sizes: Counter[str] = Counter()
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                path_within = PurePosixPath(member.filename)
                if path_within.name not in _METADATA:
                    for folder in path_within.parents:
                        self.sizes[folder.as_posix()] += member.file_size

    def close(self) -> None:
        self.store.close()


_open_zips = OpenFiles(_Zip)


class ZarrGroups(Container):
    """A hierarchy of zarr groups."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: Counter[str] = Counter()
        if path.is_dir():
            self._store: Any = zarr.storage.LocalStore(path, read_only=True)
        else:
            check_regular(path)
            opened = _open_zips.get(path)
            self._store, self._sizes = opened.store, opened.sizes
        self._nodes: dict[str, Any] = {}

    def groups(self) -> list[str]:
        """Return the groups that have `predictions`; only "" when the root has. Links are not followed."""
        groups = list(_groups_in_folder(self._path) if self._path.is_dir() else _groups_in_zip(self._path))
        return [""] if "" in groups else groups

    def keys_in(self, group: str) -> Collection[str]:
        """Return the arrays, groups and attributes of a group."""
        node = self._node(group)
        return {*node.keys(), *node.attrs.keys()} if isinstance(node, zarr.Group) else ()

    def __contains__(self, name: object) -> bool:
        """Return True if there is an array of this name, or an attribute in its place."""
        return isinstance(name, str) and (
            isinstance(self._node(name), zarr.Array) or self._attribute(name) is not None
        )

    def size_of(self, name: str) -> int:
        """Return the bytes of an array by declared shape, of a chunk, or of its part of a zip: the most."""
        array = self._node(name)
        if not isinstance(array, zarr.Array):
            return 0
        values = max(math.prod(array.shape), math.prod(array.chunks))
        return max(values * array.dtype.itemsize, self._sizes[name])

    def load(self, name: str) -> Any:
        """Return an array or value."""
        array = self._node(name)
        if not isinstance(array, zarr.Array):
            return self._attribute(name)
        if array.dtype.hasobject or "pickle" in json.dumps(array.metadata.to_dict(), default=str):
            raise ItemError(f"'{name}' holds Python objects, which are never loaded; save plain numbers")
        return array[...]

    def _node(self, name: str) -> Any:
        if name not in self._nodes:
            try:
                # Consolidated metadata are as large as the corpus, and would be read for every item.
                self._nodes[name] = zarr.open(self._store, path=name, mode="r", use_consolidated=False)
            except FileNotFoundError:
                self._nodes[name] = None
        return self._nodes[name]

    def _attribute(self, name: str) -> Any:
        group, _, key = name.rpartition("/")
        if key not in KEYS:
            return None
        for place in (group, ""):
            node = self._node(place)
            if isinstance(node, zarr.Group) and key in node.attrs:
                return node.attrs[key]
        return None


def _groups_in_folder(root: Path) -> Iterator[str]:
    for folder, subfolders, names in os.walk(root):
        here = Path(folder)
        if ".zarray" in names or ("zarr.json" in names and _is_array(here / "zarr.json")):
            subfolders.clear()
            if here.name == "predictions":
                group = here.parent.relative_to(root).as_posix()
                yield "" if group == "." else group
        subfolders.sort()


def _groups_in_zip(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            for metadata in ("predictions/.zarray", "predictions/zarr.json"):
                group = name.removesuffix(metadata)
                if group != name and (not group or group.endswith("/")):
                    yield group.removesuffix("/")


def _is_array(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_bytes())["node_type"] == "array")
    except (OSError, ValueError, LookupError, TypeError):
        return False
