"""Write a file whole or not at all.

A file that is being written has a name of its own, `.<random>.part`, and is locked for as long as its process
lives: that tells it from one that a killed process left, on any machine.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from warplens.io import file_lock

_SUFFIX = ".part"
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.part")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` once it is complete, and leaves it alone if it never is.

    Folders that are missing are made.
    """
    file, temporary = _begin(path.parent)
    try:
        with file:
            yield file
            file.flush()
            if file_lock.HAS_LOCKS:
                # Before the lock goes, after which the file would look left behind.
                os.replace(temporary, path)  # noqa: PTH105
        if not file_lock.HAS_LOCKS:
            os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed processes in a folder, at any depth."""
    for parent, _, names in os.walk(folder):
        for name in names:
            if _TEMPORARY.fullmatch(name):  # the folder may hold files of others
                # Held by its writer, or gone by now.
                with contextlib.suppress(OSError):
                    _remove_unheld(Path(parent) / name)


def _begin(folder: Path) -> tuple[IO[bytes], str]:
    # Without `Path`, which takes as long for this as the system: it is done for every item of a corpus.
    prefix = os.path.join(folder, ".")  # noqa: PTH118
    while True:
        temporary = f"{prefix}{os.urandom(8).hex()}{_SUFFIX}"
        try:
            file = open(temporary, "xb")  # noqa: PTH123, SIM115
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            continue
        file_lock.hold(file)
        if os.fstat(file.fileno()).st_nlink:
            return file, temporary
        file.close()  # taken for a leftover between its first moment and its lock


def _remove_unheld(path: Path) -> None:
    with path.open("rb") as file:
        file_lock.check_unheld(file)
        if file_lock.HAS_LOCKS:
            path.unlink()
    if not file_lock.HAS_LOCKS:
        path.unlink()
