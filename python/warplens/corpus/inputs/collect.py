"""Collect the items of a corpus and name them."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from warplens.corpus.inputs.results_folder import RESULT_SUBFOLDERS, holds_results, lies_among_results
from warplens.corpus.inputs.source import POOLED_ID, InputError, Source, check_id
from warplens.io import ItemError, ItemInFile, ItemOfRow, ManifestError, NoItem, read_manifest
from warplens.io.arrays.formats import FORMATS, groups_of, is_zarr_folder, item_suffix
from warplens.io.arrays.npy import belongs_to_set, files_of_set
from warplens.io.manifest import MANIFEST_SUFFIXES

_RESULT_SUFFIXES = (".npz", ".json", ".html")
"""Suffixes of the files of an item's results."""


class Collected(NamedTuple):
    """Items and other content of inputs.

    Attributes:
        sources: the items, sorted by id.
        ignored: how many other files there are.
        results: folders that hold results of a run, which were passed over.
        links: links to folders within the inputs, which were not followed.
    """

    sources: list[Source]
    ignored: int
    results: list[Path]
    links: list[Path]


def collect(inputs: Sequence[Path], *, exclude: Path, allow_external: bool = False) -> Collected:
    """Collect the items of manifests, files and folders (any depth).

    The id of a file is its path relative to INPUT without extension, followed by the group where a file has
    one item a group; that of a row of a manifest is its `id`, or the path of its predictions relative to
    the manifest. An item that cannot have its id, because this leads elsewhere, is "all" or is taken, becomes
    a source under another id whose read fails, and so does a folder that cannot be read.

    Links to folders are not followed; files whose name begins with a dot are ignored, as are manifests and
    lists of notes within folders. Results of runs are passed over.

    Args:
        inputs: manifests, files and folders.
        exclude: folder that is not searched: where results go.
        allow_external: whether links to files outside the folder that is searched, and what files refer to in
            others, are read. An item that needs them is else one whose read fails.

    Raises:
        InputError: an input does not exist, is the excluded folder itself or lies where results go, or is a
            manifest that cannot be read; a file given by name is of no known kind; no item is found.
    """
    collection = _Collection(Path(os.path.realpath(exclude)), allow_external)
    for given in inputs:
        if not os.path.lexists(given):
            raise InputError(f"{given}: no such file or folder")
        if os.path.realpath(given) == str(collection.exclude):
            raise InputError(f"{given}: results cannot go into the input folder itself")
        if lies_among_results(given, exclude):
            raise InputError(f"{given}: results in {exclude} could replace it: give another folder for them")
        if given.is_dir() and not _is_zarr(given):
            collection.search(given)
        elif item_suffix(given.name) or _is_zarr(given):
            collection.add_file(given, given.name)
        elif given.suffix.lower() in MANIFEST_SUFFIXES:
            collection.add_manifest(given)
        else:
            raise InputError(
                f"{given}: not a file with items ({FORMATS}) and not a manifest (CSV or parquet)"
            )
    if not collection.sources:
        ignored = (
            f" ({collection.ignored} other file{'s' if collection.ignored > 1 else ''})"
            if collection.ignored
            else ""
        )
        results = "; results of a run are not items" if collection.results else ""
        raise InputError(
            f"no item in {', '.join(str(given) for given in inputs)}{ignored}; read are {FORMATS}{results}"
        )
    collection.part_files_from_folders()
    sources = sorted(collection.sources.values(), key=lambda source: source.id)
    return Collected(sources, collection.ignored, collection.results, collection.links)


@dataclass
class _Collection:
    """Items collected so far."""

    exclude: Path
    allow_external: bool
    sources: dict[str, Source] = field(default_factory=dict)
    ignored: int = 0
    results: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)

    def search(self, root: Path) -> None:
        """Add the items in a folder."""
        for path, relative in self._files(root):
            if belongs_to_set(path):
                continue
            if path.name.startswith(".") or not (item_suffix(path.name) or _is_zarr(path)):
                self.ignored += 1
            elif not self.allow_external and (target := _outside(path, root)) is not None:
                self._add_unusable(
                    relative,
                    str(path),
                    f"it is a link out of the folder, to {target}, which is followed only where that is "
                    "allowed (--allow-external)",
                )
            else:
                self.add_file(path, relative)

    def add_file(self, path: Path, relative: str) -> None:
        """Add the items of a file, whose ids begin with this path."""
        stem = relative[: len(relative) - len(item_suffix(path.name) or "")]
        try:
            groups = groups_of(path) or [""]
        except (ItemError, OSError):
            groups = [""]  # its read fails later, with the reason
        for group in groups:
            origin = ItemInFile(path, group, self.allow_external)
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
            rows = read_manifest(path, allow_external=self.allow_external)
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

    def part_files_from_folders(self) -> None:
        """Make items unusable whose results would lie in a folder named as another item's file."""
        for source in list(self.sources.values()):
            parts = source.id.split("/")
            for folder in ("/".join(parts[:end]) for end in range(1, len(parts))):
                stem, dot, suffix = folder.rpartition(".")
                # Of "a.npz/b" the file of "a" would be a folder.
                if f"{dot}{suffix}" in _RESULT_SUFFIXES and stem in self.sources:
                    del self.sources[source.id]
                    self._add_unusable(
                        source.id,
                        source.location,
                        f"'{source.id}' cannot be an item beside '{stem}': its results would lie in a folder "
                        f"that has the name of the other's file, {folder}; rename one",
                    )
                    break

    def _add_unusable(self, name: str, location: str, reason: str) -> None:
        safe = "/".join(re.sub(r"[\\\0]", "_", part) for part in name.split("/") if part.strip(".")) or "item"
        item_id, n = safe, 1
        while item_id in self.sources or item_id == POOLED_ID:
            n += 1
            item_id = f"{safe} ({n})"
        self.sources[item_id] = Source(item_id, NoItem(location, reason))

    def _files(self, root: Path) -> Iterator[tuple[Path, str]]:
        """Yield the files and zarr folders below a folder, and their paths within it.

        Folders that cannot be read are added as unusable.
        """

        def unreadable(error: OSError) -> None:
            folder = Path(error.filename)
            name = folder.relative_to(root).as_posix() if folder != root else folder.name
            self._add_unusable(f"{name} (folder)", str(folder), f"folder cannot be read: {error.strerror}")

        for folder, subfolders, names in os.walk(root, onerror=unreadable):
            here = Path(folder)
            if os.path.realpath(here) == str(self.exclude):
                self.results.extend([here] if holds_results(here) else [])
                subfolders.clear()
                continue
            subfolders.sort()
            if holds_results(here):
                self.results.append(here)
                subfolders[:] = [name for name in subfolders if name not in RESULT_SUBFOLDERS]
            zarrs = [name for name in subfolders if _is_zarr(here / name)]
            subfolders[:] = [name for name in subfolders if name not in zarrs]
            self.links.extend(here / name for name in subfolders if (here / name).is_symlink())
            within = "" if here == root else f"{here.relative_to(root).as_posix()}/"
            yield from ((here / name, within + name) for name in sorted([*names, *zarrs]))


def _outside(path: Path, root: Path) -> str | None:
    """Return where a file, or another of its set, leads to outside a folder; None if to nothing."""
    base = os.path.join(os.path.realpath(root), "")  # noqa: PTH118
    for file in (path, *files_of_set(path)):
        # A link that leads nowhere fails when it is read.
        if file.is_symlink() and file.exists() and not (target := os.path.realpath(file)).startswith(base):
            return target
    return None


def _is_zarr(path: Path) -> bool:
    return path.is_dir() and (path.name.lower().endswith(".zarr") or is_zarr_folder(path))


def _same_file(one: ItemInFile | ItemOfRow | NoItem, other: ItemInFile) -> bool:
    return (
        isinstance(one, ItemInFile)
        and one.group == other.group
        and os.path.realpath(one.path) == os.path.realpath(other.path)
    )
