"""A lock on a folder: one process at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studies.mpe.errors import StudyError


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Lock a folder; the lock goes with the process, however that ends.

    Raises:
        StudyError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StudyError(
                f"Another process computes {what} ({file.name} is locked); wait for it, or end it."
            ) from None
        yield
