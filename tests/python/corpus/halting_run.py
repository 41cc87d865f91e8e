"""A run whose worker processes stop for good in the middle of writing: to be killed.

Usage: python halting_run.py INPUT OUT MARKERS. Workers import this module too; that is how they come to stop.
"""

import os
import sys
import time
from pathlib import Path

from warplens.cli.commands import warplens
from warplens.corpus import item_file

ITEMS_BEFORE = 4
INPUT, OUT, MARKERS = sys.argv[1:]
write, written = item_file._write_npz, []


def halting_write(file, arrays):
    written.append(file)
    if len(written) <= ITEMS_BEFORE:
        write(file, arrays)
        return
    file.write(b"half of it")
    file.flush()
    (Path(MARKERS) / str(os.getpid())).touch()
    time.sleep(3600)


item_file._write_npz = halting_write

if __name__ == "__main__":
    warplens(["analyze", INPUT, "-o", OUT, "--processes", "2"])
