"""Arrays from zarr groups, format 2 or 3, in folders or zip files.

Values that are not sequences (`fps`, `cost`, ...) may be arrays or attributes of a group, or attributes of
the root, which hold for all its groups.
"""

import json
import math
import os
import zipfile
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import zarr

from warplens.io.container import KEYS, Container, check_regular
from warplens.io.errors import ItemError

_ZIPS_KEPT_OPEN = 8


class ZarrGroups(Container):
    """A hierarchy of zarr groups."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.is_dir():
            self._store: Any = zarr.storage.LocalStore(path, read_only=True)
        else:
            check_regular(path)
            told = path.stat()
            self._store = _open_zip(os.getpid(), path, told.st_ino, told.st_size, told.st_mtime_ns)
        self._nodes: dict[str, Any] = {}

    def groups(self) -> list[str]:
        """The groups that have `predictions`; only "" when the root has. Links are not followed."""
        found = list(_groups_in_folder(self._path) if self._path.is_dir() else _groups_in_zip(self._path))
        return [""] if "" in found else found

    def keys_in(self, group: str) -> Collection[str]:
        """The arrays, groups and attributes of a group."""
        node = self._node(group)
        return {*node.keys(), *node.attrs.keys()} if isinstance(node, zarr.Group) else ()

    def __contains__(self, name: object) -> bool:
        """Whether there is an array of this name, or an attribute in its place."""
        return isinstance(name, str) and (
            isinstance(self._node(name), zarr.Array) or self._attribute(name) is not None
        )

    def size_of(self, name: str) -> int:
        """Bytes of an array, or of one of its chunks when these are larger, by declared shape."""
        array = self._node(name)
        if not isinstance(array, zarr.Array):
            return 0
        return max(math.prod(array.shape), math.prod(array.chunks)) * array.dtype.itemsize

    def load(self, name: str) -> Any:
        """The array or value."""
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


@lru_cache(maxsize=_ZIPS_KEPT_OPEN)
def _open_zip(process: int, path: Path, *state: int) -> Any:
    """The open store; a forked process and a file that was replaced are other arguments."""
    return zarr.storage.ZipStore(path, mode="r")
