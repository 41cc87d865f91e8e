"""OUT/items.csv: one row for each item and gamma, one row with empty gamma for each failed item."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.metrics import COUNTS, MEASURES
from warplens.io.replacing import replacing

COLUMNS = ("id", "gamma", "N", "M", "D", *MEASURES, "status", "error")

Row = dict[str, Any]
"""By column; a column that is missing or None is empty in the file."""


class Measured(NamedTuple):
    """What the table has of an item: small, since it is sent between processes.

    Attributes:
        shape: (N, M, D).
        gammas: ascending, (G,).
        table: `ItemAnalysis.table`, (G,).
    """

    shape: tuple[int, int, int]
    gammas: NDArray[np.float64]
    table: NDArray[Any]


def rows_of(item_id: str, measured: Measured) -> list[Row]:
    """The rows of an item, ascending in gamma."""
    n_frames, n_targets, n_features = measured.shape
    rows = []
    for gamma, values in zip(measured.gammas.tolist(), measured.table.tolist(), strict=True):
        measures = dict(zip(MEASURES, values, strict=True))
        rows.append(
            {
                "id": item_id,
                "gamma": gamma,
                "N": n_frames,
                "M": n_targets,
                "D": n_features,
                **{name: None if math.isnan(value) else value for name, value in measures.items()},
                **{name: int(measures[name]) for name in COUNTS},
                "status": "ok",
            }
        )
    return rows


def failed_row(item_id: str, reason: str) -> Row:
    """The one row of an item that could not be analysed."""
    return {"id": item_id, "status": "failed", "error": reason}


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Write rows sorted by id, then gamma."""
    write_csv(path, COLUMNS, sorted(rows, key=lambda row: (row["id"], row.get("gamma", -1.0))))


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows as they come, whole or not at all, the same bytes for the same rows."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    with replacing(path) as file:
        # A file name need not be valid Unicode; the table always is.
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return format(value, ".12g") if isinstance(value, float) else str(value)
