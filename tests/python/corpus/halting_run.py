"""A run whose worker processes stop for good in the middle of writing: to be killed.

Usage: python halting_run.py COMMAND INPUT OUT MARKERS. Workers import this module too; that is how
they come to stop.
"""

import os
import sys
import time
from pathlib import Path

from warplens.cli.commands import warplens
from warplens.corpus import item_work, sweep_work
from warplens.io.replacing import replacing

ITEMS_BEFORE = 4
COMMAND, INPUT, OUT, MARKERS = sys.argv[1:]
MODULE, SAVE = {"analyze": (item_work, "save_analysis"), "sweep": (sweep_work, "save_sweep")}[COMMAND]
save, saved = getattr(MODULE, SAVE), []


def halting_save(path, result, key):
    time.sleep(0.02)  # so that neither worker is given much more than the other
    saved.append(path)
    if len(saved) <= ITEMS_BEFORE:
        save(path, result, key)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(b"half of it")
        file.flush()
        (Path(MARKERS) / str(os.getpid())).touch()
        time.sleep(3600)


setattr(MODULE, SAVE, halting_save)

if __name__ == "__main__":
    warplens([COMMAND, INPUT, "-o", OUT, "--processes", "2"])
