"""Arrays from npz files. Pickles are never loaded, and nothing larger than it declares is unpacked."""

import errno
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from warplens.io.arrays.container import Container
from warplens.io.arrays.npy import decode_npy
from warplens.io.arrays.stored_zip import MOST_BYTES, stored_members
from warplens.io.errors import ItemError
from warplens.io.regular_file import check_regular

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    ValueError,
)
"""Errors that a damaged archive raises, depending on where it is damaged."""


class NpzArrays(Mapping[str, NDArray[Any]], Container):
    """The arrays of an npz file by name, each unpacked on demand."""

    def __init__(self, sizes: Mapping[str, int], read: Callable[[str], bytes | memoryview]) -> None:
        """Take the unpacked sizes of the members of an archive by name, and a function that reads one."""
        self._sizes = {member.removesuffix(".npy"): size for member, size in sizes.items()}
        self._members = {member.removesuffix(".npy"): member for member in sizes}
        self._read = read

    def __getitem__(self, name: str) -> NDArray[Any]:
        data = self._read(self._members[name])
        if len(data) != self._sizes[name]:
            raise ItemError(
                f"damaged npz file: '{name}' declares {self._sizes[name]} bytes and has {len(data)}"
            )
        try:
            return decode_npy(data)
        except ItemError as error:
            raise ItemError(f"'{name}' cannot be loaded: {error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def keys_in(self, group: str) -> Collection[str]:
        """Return the names within a group; npz files made by NumPy have none but the root."""
        if not group:
            return self._members.keys()
        return [name.removeprefix(f"{group}/") for name in self._members if name.startswith(f"{group}/")]

    def size_of(self, name: str) -> int:
        """Return the unpacked size of a member, as the archive declares it; more is never unpacked."""
        return self._sizes[name]

    def load(self, name: str) -> NDArray[Any]:
        """Return an array, as indexing does."""
        return self[name]


@contextmanager
def open_npz(path: Path) -> Iterator[NpzArrays]:
    """Open an npz file; its arrays are read on demand.

    Args:
        path: the file.

    Raises:
        ItemError: the file is not an npz file, or proves to be damaged within the `with` block.
        OSError: the file cannot be read.
    """
    check_regular(path)
    with path.open("rb") as file:
        try:
            is_small = os.fstat(file.fileno()).st_size <= MOST_BYTES
            members = stored_members(file.read()) if is_small else None
            if members is not None:
                yield NpzArrays({name: len(data) for name, data in members.items()}, members.__getitem__)
                return
            with _archive(file) as archive:
                infos = {info.filename: info for info in archive.infolist()}
                sizes = {name: info.file_size for name, info in infos.items()}
                yield NpzArrays(sizes, lambda name: _unpacked(archive, infos[name]))
        except ItemError:
            raise
        except _DAMAGE as error:
            raise ItemError(f"damaged npz file: {error}") from error
        except OSError as error:
            # A damaged directory sends the reader to places that no file has.
            if error.errno == errno.EINVAL:
                raise ItemError("damaged npz file: it points outside itself") from error
            raise


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    # Other methods unpack without a bound, whatever size is declared; NumPy writes none of them.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        name = info.filename.removesuffix(".npy")
        raise ItemError(f"'{name}' is packed by method {info.compress_type}, which npz files do not use")
    with archive.open(info) as stream:
        return stream.read(info.file_size)


def _archive(file: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise ItemError("not an npz file (a zip archive of npy arrays)") from error
