"""Arrays from zarr groups, format 2 or 3, in folders or zip files.

Values that are not sequences (`fps`, `cost`, ...) may be arrays or attributes of a group, or attributes of
the root, which hold for all its groups.

Links within a folder may lead to any file that the user can read, so those that lead out of it are followed
only where that is allowed.
"""

import itertools
import json
import math
import os
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import zarr

from warplens.io.arrays.container import ALL_KEYS, LEADING_KEYS, Container, check_marks, n_chunks, not_stored
from warplens.io.arrays.open_files import OpenFiles
from warplens.io.errors import ItemError
from warplens.io.regular_file import check_regular

_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


class _Zip:
    """A zip file of zarr groups, and the unpacked size and number of the chunks in each of its folders."""

    def __init__(self, path: Path) -> None:
        self.store = zarr.storage.ZipStore(path, mode="r")
        self.sizes: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        with zipfile.ZipFile(path) as archive:
            for member in {info.filename: info for info in archive.infolist()}.values():
                path_within = PurePosixPath(member.filename)
                if path_within.name not in _METADATA:
                    for folder in path_within.parents:
                        self.sizes[folder.as_posix()] += member.file_size
                        self.counts[folder.as_posix()] += not member.is_dir()

    def close(self) -> None:
        self.store.close()


_open_zips = OpenFiles(_Zip)


class ZarrGroups(Container):
    """A hierarchy of zarr groups."""

    def __init__(self, path: Path, *, allow_external: bool = False) -> None:
        self._path = path
        self._allow_external = allow_external
        self._sizes: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        if path.is_dir():
            self._store: Any = zarr.storage.LocalStore(path, read_only=True)
        else:
            check_regular(path)
            opened = _open_zips.get(path)
            self._store, self._sizes, self._counts = opened.store, opened.sizes, opened.counts
        self._nodes: dict[str, Any] = {}

    def groups(self) -> list[str]:
        """Return the groups that have predictions or log_probs; only "" if the root has."""
        found = _groups_in_folder(self._path) if self._path.is_dir() else _groups_in_zip(self._path)
        groups = list(dict.fromkeys(found))
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

    def warnings(self, name: str) -> Sequence[str]:
        """Return how many chunks of an array are not there, and read as a fill value."""
        array = self._node(name)
        if not isinstance(array, zarr.Array) or not array.size:
            return ()
        count = n_chunks(array.shape, array.shards or array.chunks)
        there = self._counts[name]
        if self._path.is_dir():
            there = sum(file not in _METADATA for _, _, files in os.walk(self._path / name) for file in files)
        return (not_stored(count - there, count, array.fill_value),) if there < count else ()

    def load(self, name: str) -> Any:
        """Return an array or value."""
        array = self._node(name)
        if not isinstance(array, zarr.Array):
            return self._attribute(name)
        if array.dtype.hasobject or "pickle" in json.dumps(array.metadata.to_dict(), default=str):
            raise ItemError(f"'{name}' holds Python objects, which are never loaded; save plain numbers")
        values = array[...]
        check_marks(name, values, array.attrs)
        return values

    def _node(self, name: str) -> Any:
        if name not in self._nodes:
            if self._path.is_dir() and not self._allow_external:
                self._check_links(name)
            try:
                # Consolidated metadata are as large as the corpus, and would be read for every item.
                self._nodes[name] = zarr.open(self._store, path=name, mode="r", use_consolidated=False)
            except FileNotFoundError:
                self._nodes[name] = None
        return self._nodes[name]

    def _check_links(self, name: str) -> None:
        """Check that a node and, if it is an array, its files lie in the folder of the groups."""
        root, folder = os.path.realpath(self._path), self._path / name
        paths = [folder, *(folder / file for file in _METADATA)]
        if not _is_group(folder):
            paths += folder.rglob("*")
        for path in paths:
            if path == folder or path.is_symlink():
                target = os.path.realpath(path)
                if target != root and not target.startswith(os.path.join(root, "")):  # noqa: PTH118
                    raise ItemError(
                        f"'{name}' lies in another file, {target}, which is read only where that is allowed "
                        "(--allow-external)"
                    )

    def _attribute(self, name: str) -> Any:
        group, _, key = name.rpartition("/")
        if key not in ALL_KEYS:
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
            if here.name in LEADING_KEYS:
                group = here.parent.relative_to(root).as_posix()
                yield "" if group == "." else group
        subfolders.sort()


def _groups_in_zip(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            for key, file in itertools.product(LEADING_KEYS, (".zarray", "zarr.json")):
                group = name.removesuffix(f"{key}/{file}")
                if group != name and (not group or group.endswith("/")):
                    yield group.removesuffix("/")


def _is_group(folder: Path) -> bool:
    metadata = folder / "zarr.json"
    return (folder / ".zgroup").exists() or (metadata.exists() and not _is_array(metadata))


def _is_array(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_bytes())["node_type"] == "array")
    except (OSError, ValueError, LookupError, TypeError):
        return False
