"""A recording with its notes as a reader of a dataset lists it; nothing of it is read yet."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studies.mpe.errors import StudyError
from warplens.io import DEFAULT_SIZE_LIMIT, ItemError, Notes
from warplens.io.notes.note_lists import read_notes
from warplens.io.size_limit import Budget


@dataclass(frozen=True)
class Recording:
    """A recording with its notes.

    Attributes:
        id: its name, unlike those of all others of its dataset.
        work: what is played: one name for all versions of a work.
        audio: file.
        notes: reads its notes, in the time of the recording.
        measures: reads when measures begin, and the last ends, in seconds, rising; None where not known.
    """

    id: str
    work: str
    audio: Path
    notes: Callable[[], Notes]
    measures: Callable[[], NDArray[np.float64]] | None = None


def listed_notes(path: Path) -> Notes:
    """Read the notes of a list, as `warplens` reads it.

    Raises:
        StudyError: it is missing, damaged, or lacks a column.
    """
    try:
        return read_notes(path, Budget(DEFAULT_SIZE_LIMIT))
    except FileNotFoundError:
        raise StudyError(
            f"The note list {path} does not exist; is the dataset unpacked as published?"
        ) from None
    except ItemError as error:
        raise StudyError(f"{path.parent / str(error)}; is it the file as published?") from None


def read_columns(path: Path, wanted: tuple[str, ...], *, delimiter: str) -> list[dict[str, str]]:
    """Read rows of a table of a dataset, its columns by name; others are left alone.

    Raises:
        StudyError: the file is missing, or a column is.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            names = {name.strip().lower(): name for name in reader.fieldnames or ()}
            missing = [name for name in wanted if name not in names]
            if missing:
                raise StudyError(
                    f"{path} has no column '{missing[0]}' (its columns: {', '.join(names) or 'none'}); "
                    "it must be the table as published."
                )
            return [{name: (row[names[name]] or "").strip() for name in wanted} for row in reader]
    except FileNotFoundError:
        raise StudyError(f"{path} does not exist; is the dataset unpacked as published?") from None


def measure_times(path: Path, time_column: str) -> NDArray[np.float64]:
    """Read when measures begin and the last ends, from a table of `measure` and seconds, apart by `;`.

    Rows that do not rise in time are left out: two published tables end before their last measure begins.

    Raises:
        StudyError: it is missing, lacks a column, or holds no number.
    """
    rows = read_columns(path, (time_column, "measure"), delimiter=";")
    try:
        table = sorted((float(row["measure"]), float(row[time_column])) for row in rows)
    except ValueError as error:
        raise StudyError(
            f"{path} holds no number in a row ({error}); it must be the file as published."
        ) from None
    times: list[float] = []
    for _, time in table:
        if not times or time > times[-1]:
            times.append(time)
    return np.array(times)


def existing_folder(folder: str | Path, *, dataset: str, where: str, needed: tuple[str, ...]) -> Path:
    """Return the folder of a dataset if it holds all that is needed.

    Raises:
        StudyError: it does not.
    """
    root = Path(folder).expanduser()
    for name in ("", *needed):
        if not (root / name).exists():
            raise StudyError(
                f"{dataset} is not at {root}: {root / name} does not exist. Get it from {where}, unpack it, "
                "and "
                "set `folder` in the configuration to where it lies."
            )
    return root
