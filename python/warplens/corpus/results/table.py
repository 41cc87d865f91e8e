"""OUT/items.csv: one row for each item and gamma, one row with empty gamma for each failed item."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from warplens.analysis.losses.measures import FAMILY_MEASURES
from warplens.analysis.losses.options import Loss
from warplens.analysis.metrics import COUNTS, MEASURES
from warplens.io.replacing import replacing

if TYPE_CHECKING:
    from warplens.analysis.item_analysis import ItemAnalysis

COLUMNS = ("id", "gamma", "N", "M", "D", *MEASURES, "status", "error")
"""Columns of the table of a run with sdtw."""

Row = dict[str, Any]
"""Values by column; a column that is missing or None is an empty cell."""


def columns_of(loss: Loss) -> tuple[str, ...]:
    """Return the columns of the table of a run with a loss, by the names of `Row`."""
    if loss.name == "sdtw":
        return COLUMNS
    return (*COLUMNS[:-2], *FAMILY_MEASURES, *COLUMNS[-2:])


def headings_of(loss: Loss, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns in a table: where targets are classes they speak of labels."""
    if loss.target_word == "event":
        return tuple(columns)
    return tuple(column.replace("event", loss.target_word) for column in columns)


class Measured(NamedTuple):
    """Values of an item for the table: few bytes, sent between processes and kept until all are done.

    Attributes:
        shape: (N, M, D).
        gammas: ascending, G of them.
        names: the measures, W of them.
        values: G times W float64.
    """

    shape: tuple[int, int, int]
    gammas: tuple[float, ...]
    names: tuple[str, ...]
    values: bytes

    @classmethod
    def of(cls, analysis: "ItemAnalysis") -> Self:
        """Return the values of an analysis."""
        names = MEASURES if analysis.loss.name == "sdtw" else (*MEASURES, *FAMILY_MEASURES)
        return cls(analysis.shape, tuple(analysis.gammas.tolist()), names, analysis.table.tobytes())

    def measures(self, g: int) -> dict[str, float]:
        """Return the measures at the g-th gamma, by name."""
        width = len(self.names)
        values = memoryview(self.values).cast("d")[g * width : (g + 1) * width]
        return dict(zip(self.names, values.tolist(), strict=True))


def rows_of(item_id: str, measured: Measured) -> list[Row]:
    """Return the rows of an item, ascending in gamma."""
    n_frames, n_targets, n_features = measured.shape
    return [
        {
            "id": item_id,
            "gamma": gamma,
            "N": n_frames,
            "M": n_targets,
            "D": n_features,
            **{name: None if math.isnan(value) else value for name, value in measures.items()},
            **{name: int(measures[name]) for name in COUNTS if not math.isnan(measures[name])},
            "status": "ok",
        }
        for gamma, measures in ((gamma, measured.measures(g)) for g, gamma in enumerate(measured.gammas))
    ]


def failed_row(item_id: str, reason: str) -> Row:
    """Return the single row of an item that could not be analyzed."""
    return {"id": item_id, "status": "failed", "error": reason}


def through_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Row], headings: Sequence[str] | None = None
) -> Iterator[Row]:
    """Yield rows and write them as they pass: all or none, same rows, same bytes.

    The file exists once the last row has been taken. Without headings columns have their own names.
    """
    with replacing(path) as file:
        # A file name need not be valid Unicode; the table always is.
        text = io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(headings or columns)
        for row in rows:
            writer.writerow([_cell(row.get(column)) for column in columns])
            yield row
        text.detach()  # written out, and left to be closed


def write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Row], headings: Sequence[str] | None = None
) -> None:
    """Write all rows; see `through_csv`."""
    for _ in through_csv(path, columns, rows, headings):
        pass


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return format(value, ".12g") if isinstance(value, float) else str(value)
