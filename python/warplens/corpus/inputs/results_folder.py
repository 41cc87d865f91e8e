"""Tell folders of results from folders of items, so that none is read as the other or overwritten.

A run leaves run.json from its beginning on, so that results that are not complete are known too.
"""

import json
import os
from pathlib import Path

from warplens.corpus.inputs.source import InputError

RECORD = "run.json"
"""File that shows that a folder holds results of a run."""

RESULT_SUBFOLDERS = ("items", "sweep", "figures")
"""Folders with the files of single items."""

_FILES = (
    RECORD,
    "items.csv",
    "items.parquet",
    "report.html",
    "sweep.csv",
    "sweep.png",
    "recommendation.json",
)


def holds_results(folder: Path) -> bool:
    """Return True if a run, finished or not, wrote into this folder."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        return record["command"] in ("analyze", "sweep") and "warplens" in record["versions"]
    except (OSError, ValueError, TypeError, LookupError):
        return False


def check_own(out: Path) -> None:
    """Refuse to overwrite files that no run wrote.

    Raises:
        InputError: something else is there under one of their names.
    """
    # In this order: a run that begins at the same moment writes its record first.
    taken = [name for name in (*RESULT_SUBFOLDERS, *_FILES) if os.path.lexists(out / name)]
    if taken and not holds_results(out):
        raise InputError(
            f"{out}: holds '{taken[0]}', which is not known as the results of a run (there is no {RECORD} of "
            "one) and could be written over: give another folder for the results, or remove it"
        )


def lies_among_results(path: Path, out: Path) -> bool:
    """Return True if results in a folder may be written to this path."""
    real, base = Path(os.path.realpath(path)), Path(os.path.realpath(out))
    return (
        real.is_relative_to(base)
        and real != base
        and real.relative_to(base).parts[0] in (*RESULT_SUBFOLDERS, *_FILES)
    )
