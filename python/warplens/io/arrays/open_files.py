"""Files that are kept open for the next item in them, by each process on its own."""

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

_KEPT = 8


class _Closable(Protocol):
    def close(self) -> object: ...


_File = TypeVar("_File", bound=_Closable)


class OpenFiles(Generic[_File]):
    """The last few files that were opened; a file that was written to meanwhile is opened anew.

    Steps of a look-up are single operations on a dictionary, so threads need no lock, which a fork could find
    taken: at worst two of them open one file.
    """

    def __init__(self, opener: Callable[[Path], _File]) -> None:
        self._opener = opener
        self._files: OrderedDict[tuple[int, int], tuple[tuple[int, int], _File]] = OrderedDict()
        self._inherited: list[object] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_to_parent)

    def get(self, path: Path) -> _File:
        """Return the open file. One that is no longer kept is closed when its last user lets go of it."""
        status = path.stat()
        # By its number, not its name: while it is open no other file gets that.
        key, state = (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)
        known = self._files.pop(key, None)
        if known and known[0] != state:
            # HDF5 would give what it remembers of the old content to another reader of the file.
            known[1].close()
            known = None
        file = known[1] if known else self._opener(path)
        self._files[key] = state, file
        while len(self._files) > _KEPT:
            self._files.pop(next(iter(self._files)), None)
        return file

    def _leave_to_parent(self) -> None:
        """Set aside the files of the parent in a child, which must neither use nor close them."""
        self._inherited.append(self._files)
        self._files = OrderedDict()
