"""Locks that tell whether the process that writes a file still lives."""

import contextlib
from typing import IO

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:
    HAS_LOCKS = False
    """False on Windows, where an open file can neither be removed nor replaced by another process."""
else:
    HAS_LOCKS = True


def hold(file: IO[bytes]) -> None:
    """Lock a file for as long as this process has it open.

    Without locks, on Windows and on some file systems, nothing happens.
    """
    if HAS_LOCKS:
        with contextlib.suppress(OSError):
            flock(file, LOCK_EX)


def check_unheld(file: IO[bytes]) -> None:
    """Check that no other process holds a file.

    Raises:
        OSError: one does, or the file system has no locks.
    """
    if HAS_LOCKS:
        flock(file, LOCK_EX | LOCK_NB)
