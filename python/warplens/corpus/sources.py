"""Finding the items of a corpus and naming them."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from warplens.io import (
    DEFAULT_SIZE_LIMIT,
    Item,
    ItemError,
    ItemInFile,
    ItemOfRow,
    ManifestError,
    NoItem,
    read_manifest,
)
from warplens.io.formats import FORMATS, groups_of, is_zarr_folder, item_suffix
from warplens.io.manifest import MANIFEST_SUFFIXES
from warplens.io.npy import belongs_to_set

POOLED_ID = "all"
"""Stands for all items together in tables, so no item may be called so."""


class InputError(ValueError):
    """The inputs of a run cannot be used as they are; the message says which and why."""


@dataclass(frozen=True)
class Source:
    """An item that is not read yet: small, and the same in every process.

    Attributes:
        id: names the item in tables and its file; one that `check_id` accepts.
        origin: where it is read from.
    """

    id: str
    origin: ItemInFile | ItemOfRow | NoItem

    @property
    def location(self) -> str:
        """Where the item is read from, for messages."""
        return self.origin.location

    def read(self, *, size_limit: int | None = DEFAULT_SIZE_LIMIT, fps: float | None = None) -> Item:
        """Read the item.

        Args:
            size_limit: bytes that the arrays of one item may take, None for any.
            fps: overrides the frames a second of the item.

        Raises:
            ItemError: it is not an item, or is larger than the limit.
            OSError: it cannot be read.
        """
        return self.origin.read(size_limit=size_limit, fps=fps)


def collect(inputs: Sequence[Path], *, exclude: Path) -> tuple[list[Source], int]:
    """The items of manifests, files and folders (any depth), sorted by id, and how many files were ignored.

    The id of a file is its path relative to INPUT without extension, followed by the group where a file has
    one item a group; that of a row of a manifest is its `id`, or the path of its predictions relative to
    the manifest. What cannot have its id, because this leads elsewhere, is "all" or is taken, is a source
    under another id that cannot be read, and so is a folder that cannot be.

    Links to folders are not followed; files whose name begins with a dot are ignored, as are manifests and
    lists of notes within folders.

    Args:
        inputs: manifests, files and folders.
        exclude: folder that is not searched and not counted: where results go.

    Raises:
        InputError: an input does not exist, is the excluded folder itself, or a manifest that cannot be
            read; a file given by name is of no known kind; no item is found.
    """
    found = _Found(Path(os.path.realpath(exclude)))
    for given in inputs:
        if not os.path.lexists(given):
            raise InputError(f"{given}: no such file or folder")
        if os.path.realpath(given) == str(found.exclude):
            raise InputError(f"{given}: results cannot go into the input folder itself")
        if given.is_dir() and not _is_zarr(given):
            found.search(given)
        elif item_suffix(given.name) or _is_zarr(given):
            found.add_file(given, given.name)
        elif given.suffix.lower() in MANIFEST_SUFFIXES:
            found.add_manifest(given)
        else:
            raise InputError(
                f"{given}: not a file with items ({FORMATS}) and not a manifest (CSV or parquet)"
            )
    if not found.sources:
        ignored = f" ({found.ignored} other file{'s' if found.ignored > 1 else ''})" if found.ignored else ""
        raise InputError(
            f"no item in {', '.join(str(given) for given in inputs)}{ignored}; read are {FORMATS}"
        )
    return sorted(found.sources.values(), key=lambda source: source.id), found.ignored


def check_id(item_id: str) -> str:
    """The id, if it can name an item and a file within a folder.

    Raises:
        InputError: it is "all" or empty, is absolute, or has a part that would lead out of the folder.
    """
    if item_id == POOLED_ID:
        raise InputError(
            f"an item cannot be called '{POOLED_ID}', which stands for all items together: rename its file"
        )
    parts = item_id.split("/")
    path = PurePosixPath(item_id)
    if path.is_absolute() or path.drive or "\\" in item_id or "\0" in item_id:
        raise InputError(
            f"'{item_id}' cannot be an id: it must be a relative path with '/' between its parts"
        )
    if any(part in ("", ".", "..") for part in parts):
        raise InputError(f"'{item_id}' cannot be an id: it has an empty part, '.' or '..'")
    return item_id


@dataclass
class _Found:
    """What is found while inputs are looked through."""

    exclude: Path
    sources: dict[str, Source] = field(default_factory=dict)
    ignored: int = 0

    def search(self, root: Path) -> None:
        """Add what is in a folder."""
        for path in self._files(root):
            relative = path.relative_to(root).as_posix()
            if path.name.startswith(".") or not (item_suffix(path.name) or _is_zarr(path)):
                self.ignored += not belongs_to_set(path)
            else:
                self.add_file(path, relative)

    def add_file(self, path: Path, relative: str) -> None:
        """Add the items of a file, to be named after this path."""
        stem = relative[: len(relative) - len(item_suffix(path.name) or "")]
        try:
            groups = groups_of(path) or [""]
        except (ItemError, OSError):
            groups = [""]  # read later, it tells why
        for group in groups:
            origin = ItemInFile(path, group)
            try:
                source = Source(check_id(f"{stem}/{group}" if group else stem), origin)
            except InputError as error:
                self._add_unusable(f"{relative}/{group}" if group else relative, origin.location, str(error))
                continue
            other = self.sources.setdefault(source.id, source)
            if other.origin != origin and not _same_file(other.origin, origin):
                self._add_unusable(
                    relative if not group else f"{relative}/{group}",
                    source.location,
                    f"two items would be called '{source.id}': {other.location} and {source.location}; "
                    "rename one, or give a folder that holds both folders",
                )

    def add_manifest(self, path: Path) -> None:
        """Add the items of a manifest."""
        try:
            rows = read_manifest(path)
        except (ManifestError, OSError) as error:
            raise InputError(f"{path}: {error}") from error
        for row in rows:
            try:
                source = Source(check_id(row.name()), row)
                if source.id in self.sources:
                    taken = self.sources[source.id].location
                    raise InputError(
                        f"'{source.id}' is the id of another item ({taken}): give each its own 'id'"
                    )
                self.sources[source.id] = source
            except InputError as error:
                self._add_unusable(f"{path.name} row {row.row}", row.location, str(error))

    def _add_unusable(self, name: str, location: str, reason: str) -> None:
        safe = "/".join(re.sub(r"[\\\0]", "_", part) for part in name.split("/") if part.strip(".")) or "item"
        item_id, n = safe, 1
        while item_id in self.sources or item_id == POOLED_ID:
            n += 1
            item_id = f"{safe} ({n})"
        self.sources[item_id] = Source(item_id, NoItem(location, reason))

    def _files(self, root: Path) -> Iterator[Path]:
        """Files and zarr folders below a folder; folders that cannot be read are added as unusable."""

        def unreadable(error: OSError) -> None:
            folder = Path(error.filename)
            name = folder.relative_to(root).as_posix() if folder != root else folder.name
            self._add_unusable(f"{name} (folder)", str(folder), f"folder cannot be read: {error.strerror}")

        for folder, subfolders, names in os.walk(root, onerror=unreadable):
            here = Path(folder)
            subfolders[:] = sorted(
                name for name in subfolders if os.path.realpath(here / name) != str(self.exclude)
            )
            if os.path.realpath(here) == str(self.exclude):
                subfolders.clear()
                continue
            zarrs = [name for name in subfolders if _is_zarr(here / name)]
            subfolders[:] = [name for name in subfolders if name not in zarrs]
            yield from (here / name for name in sorted([*names, *zarrs]))


def _is_zarr(path: Path) -> bool:
    return path.is_dir() and (path.name.lower().endswith(".zarr") or is_zarr_folder(path))


def _same_file(one: ItemInFile | ItemOfRow | NoItem, other: ItemInFile) -> bool:
    return (
        isinstance(one, ItemInFile)
        and one.group == other.group
        and os.path.realpath(one.path) == os.path.realpath(other.path)
    )
