"""Finding the items of a corpus and naming them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from warplens.io import DEFAULT_SIZE_LIMIT, Item, ItemInFile

SUFFIXES = frozenset({".npz"})

POOLED_ID = "all"
"""Stands for all items together in tables, so no item may be called so."""


class InputError(ValueError):
    """The inputs of a run cannot be used as they are; the message says which and why."""


@dataclass(frozen=True)
class Source:
    """An item that is not read yet: small, and the same in every process.

    Attributes:
        id: names the item in tables and its file; for files the path relative to INPUT without extension.
        origin: where it is read from.
    """

    id: str
    origin: ItemInFile

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
    """The items in files and folders (to any depth), sorted by id, and how many other files were ignored.

    Links to folders are not followed; files whose name begins with a dot are ignored.

    Args:
        inputs: files and folders.
        exclude: folder that is not searched and not counted: where results go.

    Raises:
        InputError: an input does not exist, or is the excluded folder itself; a file given by name is of no
            known kind; no item is found; two items have one id; an item's id is "all".
    """
    sources: dict[str, Source] = {}
    ignored = 0
    for given in inputs:
        if not given.exists():
            raise InputError(f"{given}: no such file or folder")
        if given.resolve() == exclude.resolve():
            raise InputError(f"{given}: results cannot go into the input folder itself")
        if given.is_file() and given.suffix.lower() not in SUFFIXES:
            raise InputError(f"{given}: not an npz file")
        root = given if given.is_dir() else given.parent
        for path in _files(given, exclude.resolve()):
            if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
                ignored += 1
                continue
            source = Source(check_id(path.relative_to(root).with_suffix("").as_posix()), ItemInFile(path))
            other = sources.setdefault(source.id, source)
            if other.origin.path.resolve() != path.resolve():
                raise InputError(
                    f"two items would be called '{source.id}': {other.location} and {source.location}; "
                    "give a folder that holds both"
                )
    if not sources:
        found = f" ({ignored} other file{'s' if ignored > 1 else ''})" if ignored else ""
        raise InputError(f"no npz file in {', '.join(str(given) for given in inputs)}{found}")
    return sorted(sources.values(), key=lambda source: source.id), ignored


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


def _files(given: Path, exclude: Path) -> Iterator[Path]:
    if given.is_file():
        yield given
        return
    for folder, subfolders, names in os.walk(given):
        subfolders[:] = sorted(name for name in subfolders if (Path(folder) / name).resolve() != exclude)
        if Path(folder).resolve() != exclude:
            yield from (Path(folder) / name for name in sorted(names))
