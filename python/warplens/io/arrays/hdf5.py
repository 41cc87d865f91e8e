"""Arrays from HDF5 files, opened for the first of them and kept open by each process on its own.

Values that are not sequences (`fps`, `cost`, ...) may be datasets or attributes of a group, or attributes
of the root, which hold for all its groups.

An HDF5 file may refer to other files: by external links, as raw data of a dataset, or as the sources of a
virtual dataset. They may be any files that the user can read, so they are read only where that is allowed.
"""

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from warplens.io.arrays.container import ALL_KEYS, LEADING_KEYS, Container, check_marks, n_chunks, not_stored
from warplens.io.arrays.open_files import OpenFiles
from warplens.io.errors import ItemError
from warplens.io.regular_file import check_regular

_MOST_LINKS = 40
"""Links that are followed one after the other, as file systems have it."""

_open_files = OpenFiles(lambda path: h5py.File(path, "r"))


class Hdf5File(Container):
    """An HDF5 file."""

    def __init__(self, path: Path, *, allow_external: bool = False) -> None:
        check_regular(path)
        self._file = _open_files.get(path)
        self._allow_external = allow_external

    def groups(self) -> list[str]:
        """Return the groups that have predictions or log_probs; only "" if the root has."""
        if any(self._dataset(key) is not None for key in LEADING_KEYS):
            return [""]
        groups: dict[str, None] = {}

        def visit(name: str, node: Any) -> None:
            # Names that are no Unicode come as bytes.
            group, _, key = name.rpartition("/") if isinstance(name, str) else ("", "", "")
            if key in LEADING_KEYS and isinstance(node, h5py.Dataset):
                groups[group] = None

        self._file.visititems(visit)
        return list(groups)

    def keys_in(self, group: str) -> Collection[str]:
        """Return the datasets, groups and attributes of a group."""
        node = self._node(group)
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

    def warnings(self, name: str) -> Sequence[str]:
        """Return how much of a dataset was never written, and reads as a fill value."""
        dataset = self._dataset(name)
        if dataset is None or not dataset.shape or not dataset.size or dataset.is_virtual or dataset.external:
            return ()
        if dataset.chunks is None:
            missing, count = int(dataset.id.get_storage_size() == 0), 1
        else:
            count = n_chunks(dataset.shape, dataset.chunks)
            missing = count - dataset.id.get_num_chunks()
        return (not_stored(missing, count, dataset.fillvalue),) if missing > 0 else ()

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
        values = dataset[()]
        check_marks(name, values, dataset.attrs)
        return values

    def _dataset(self, name: str) -> Any:
        node = self._node(name)
        if not isinstance(node, h5py.Dataset):
            return None
        if not self._allow_external:
            others = [file for file, *_ in node.external or ()]
            if node.is_virtual:
                others += [source.file_name for source in node.virtual_sources() if source.file_name != "."]
            if others:
                raise _elsewhere(name, others[0])
        return node

    def _node(self, name: str) -> Any:
        """Return what a name leads to, None if to nothing; no link to another file is followed unasked."""
        if not self._allow_external:
            self._check_links([part for part in name.split("/") if part], name)
        return self._file.get(name) if name else self._file

    def _check_links(self, parts: list[str], name: str) -> None:
        """Check that no link on a way leads to another file, following those within this one."""
        at: Any = self._file
        for _ in range(_MOST_LINKS):
            for i, part in enumerate(parts):
                link = at.get(part, getlink=True) if isinstance(at, h5py.Group) else None
                if isinstance(link, h5py.ExternalLink):
                    raise _elsewhere(name, link.filename)
                if isinstance(link, h5py.SoftLink):
                    at = self._file if link.path.startswith("/") else at
                    way = [step for step in link.path.split("/") if step not in ("", ".")]
                    parts = [*way, *parts[i + 1 :]]
                    break
                if link is None:
                    return
                at = at[part]
            else:
                return
        raise ItemError(f"'{name}' is reached by more than {_MOST_LINKS} links")

    def _attribute(self, name: str) -> Any:
        group, _, key = name.rpartition("/")
        if key not in ALL_KEYS:
            return None
        for place in (group, ""):
            node = self._node(place)
            if isinstance(node, h5py.Group) and key in node.attrs:
                value = node.attrs[key]
                return None if isinstance(value, h5py.Empty) else value
        return None


def _elsewhere(name: str, file: Any) -> ItemError:
    file = file.decode(errors="replace") if isinstance(file, bytes) else file
    return ItemError(
        f"'{name}' lies in another file, {file}, which is read only where that is allowed (--allow-external)"
    )


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
