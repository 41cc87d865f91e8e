"""The results of `analyze` in a folder: the table at once, an item when it is asked for."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.corpus.inputs.results_folder import holds_results
from warplens.corpus.inputs.source import InputError
from warplens.corpus.results.item_file import item_path, read_analysis

if TYPE_CHECKING:
    from pandas import DataFrame

_TEXT = ("id", "status", "error", "loss")
_WHOLE = ("N", "M", "D")


class StoredResults(Mapping[str, ItemAnalysis]):
    """The analyses of a folder by id, each read when it is asked for; those of items that failed are absent.

    Attributes:
        folder: where they are.
        rows: the rows of `items.csv`, one an item and gamma or a failed item: texts, whole numbers N, M and
            D, and float64, None where a cell is empty.
    """

    def __init__(self, folder: Path, rows: list[dict[str, Any]]) -> None:
        self.folder = folder
        self.rows = rows
        # Of several rows, one a gamma, the first.
        self._ids = dict.fromkeys(row["id"] for row in rows if row["status"] == "ok")

    def __getitem__(self, item_id: str) -> ItemAnalysis:
        """Read the file of an item.

        Raises:
            KeyError: it is none of the items, or failed.
            ItemError: its file is damaged.
            OSError: it cannot be read.
        """
        if item_id not in self._ids:
            raise KeyError(item_id)
        return read_analysis(item_path(self.folder, item_id))

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<StoredResults {self.folder}: {len(self)} items, {len(self.rows)} rows>"

    def to_frame(self) -> "DataFrame":
        """Return the table as a data frame, a column of `items.csv` each; empty cells are NaN or None.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "to_frame needs 'pandas', which is not installed: pip install pandas; `rows` needs nothing",
                name="pandas",
            ) from error
        return DataFrame(self.rows)


def read_results(folder: Path | str) -> StoredResults:
    """Read what `analyze` wrote into a folder.

    Args:
        folder: the folder OUT of a run that is complete.

    Returns:
        A mapping from ids to `ItemAnalysis`, with the table as `rows` and `to_frame()`.

    Raises:
        InputError: it holds no results of `analyze`, or they are not complete.
        OSError: the table cannot be read.
    """
    folder = Path(folder)
    if not holds_results(folder):
        raise InputError(f"{folder}: holds no results of a run; give the folder that `-o` named")
    table = folder / "items.csv"
    if not table.is_file():
        raise InputError(
            f"{folder}: holds no items.csv: it is the folder of a sweep, or its run is not complete; run the "
            "same command again, without --shard"
        )
    with table.open(newline="", encoding="utf-8") as lines:
        rows = [{name: _value(name, cell) for name, cell in row.items()} for row in csv.DictReader(lines)]
    return StoredResults(folder, rows)


def _value(name: str, cell: str) -> str | int | float | None:
    if cell == "":
        return None
    if name in _TEXT:
        return cell
    return int(cell) if name in _WHOLE else float(cell)
