"""OUT/items.csv: one row for each item and gamma, one row with empty gamma for each failed item."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.metrics import COUNTS, MEASURES
from warplens.io.replacing import replacing

COLUMNS = ("id", "gamma", "N", "M", "D", *MEASURES, "status", "error")

Row = dict[str, Any]
"""By column; a column that is missing or None is empty in the file."""


def rows_of(item_id: str, analysis: ItemAnalysis) -> list[Row]:
    """The rows of an item, ascending in gamma."""
    n_frames, n_targets, n_features = analysis.shape
    rows = []
    for g, gamma in enumerate(analysis.gammas):
        measures = {name: float(analysis.measures[name][g]) for name in MEASURES}
        rows.append(
            {
                "id": item_id,
                "gamma": float(gamma),
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
