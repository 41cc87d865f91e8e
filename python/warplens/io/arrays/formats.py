"""Formats of files with items: tell them by name, open any of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warplens.io.arrays.container import Container
from warplens.io.arrays.npy import SET_SUFFIXES, NpyFiles
from warplens.io.arrays.npz import open_npz
from warplens.io.errors import ItemError, missing_library

ITEM_SUFFIXES = (
    ".npz",
    *SET_SUFFIXES,
    ".h5",
    ".hdf5",
    ".hdf",
    ".he5",
    ".safetensors",
    ".zarr",
    ".zarr.zip",
)
"""Suffixes of files and folders with items, in any case."""

FORMATS = "npz, <id>.predictions.npy with <id>.weak.npy, HDF5, safetensors, zarr"
"""The formats for messages."""

_HDF5 = (".h5", ".hdf5", ".hdf", ".he5")
_GROUPED = (*_HDF5, ".zarr", ".zip")
_SINGLE = (".npz", ".npy", ".safetensors")


def item_suffix(name: str) -> str | None:
    """Return the suffix of a file that is not part of the item's id, None if the file is no item."""
    fitting = [
        suffix for suffix in ITEM_SUFFIXES if name.lower().endswith(suffix) and len(name) > len(suffix)
    ]
    return max(fitting, key=len, default=None)


def is_container(path: Path) -> bool:
    """Return True if a path is taken for a file of arrays, by its name or, a zarr folder, by its content."""
    return path.name.lower().endswith((*_SINGLE, *_GROUPED)) or is_zarr_folder(path)


def is_zarr_folder(path: Path) -> bool:
    """Return True if a folder is the root of zarr groups."""
    return (path / ".zgroup").is_file() or (path / "zarr.json").is_file()


def groups_of(path: Path) -> list[str]:
    """Return the groups of a file that are an item each: "" for the root, the only one in most formats.

    Raises:
        ItemError: the file is damaged, or a library is missing.
        OSError: it cannot be read.
    """
    name = path.name.lower()
    if name.endswith(_SINGLE) or not (name.endswith(_GROUPED) or is_zarr_folder(path)):
        return [""]
    with opened(path) as container:
        return sorted(container.groups())


@contextmanager
def opened(path: Path, *, allow_external: bool = False) -> Iterator[Container]:
    """Open a file of arrays in any format; they are read on demand.

    Args:
        path: a file, or a folder of zarr groups.
        allow_external: read the values that a file refers to in other files, as HDF5 and zarr may.

    Raises:
        ItemError: the file is of no known format, or is damaged, or a library for its format is missing; an
            array lies in another file.
        OSError: it cannot be read.
    """
    name = path.name.lower()
    if name.endswith(".npz"):
        with open_npz(path) as arrays:
            yield arrays
        return
    if not is_container(path):
        raise ItemError(f"{path.name} is of no known format: {FORMATS} are read")
    try:
        yield _open(path, name, allow_external)
    except ItemError:
        raise
    except ModuleNotFoundError as error:
        raise missing_library(path.name, error) from error
    except OSError as error:
        # Without a number it comes not from the system: the library could not read the file.
        if error.errno is not None:
            raise
        raise ItemError(f"damaged file {path.name}: {error}") from error
    except Exception as error:  # a library may raise anything on a damaged file
        raise ItemError(f"damaged file {path.name}: {type(error).__name__}: {error}") from error


def _open(path: Path, name: str, allow_external: bool) -> Container:
    if name.endswith(".npy"):
        return NpyFiles(path)
    if name.endswith(".safetensors"):
        from warplens.io.arrays.safetensors_file import SafetensorsFile

        return SafetensorsFile(path)
    if name.endswith(_HDF5):
        from warplens.io.arrays.hdf5 import Hdf5File

        return Hdf5File(path, allow_external=allow_external)
    from warplens.io.arrays.zarr_groups import ZarrGroups

    return ZarrGroups(path, allow_external=allow_external)
