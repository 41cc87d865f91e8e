"""Files that can be read to their end."""

import stat
from pathlib import Path

from warplens.io.errors import ItemError


def check_regular(path: Path) -> None:
    """Check that a path is a regular file: opening a pipe could wait for ever.

    Raises:
        ItemError: it is something else.
        OSError: there is nothing of this name, or it may not be looked at.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise ItemError("is a folder, not a file" if stat.S_ISDIR(mode) else "not a regular file")
