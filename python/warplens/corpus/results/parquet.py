"""OUT/items.parquet: the rows of `items.csv` with their types (extra `parquet`)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from warplens.analysis.metrics import COUNTS
from warplens.corpus.results.table import COLUMNS, Row
from warplens.io.replacing import replacing

_TEXTS = ("id", "status", "error")
_WHOLE = ("N", "M", "D", *COUNTS)

_ROWS_AT_A_TIME = 256
"""Rows in memory, and in a group of the file."""


def through_parquet(
    path: Path,
    rows: Iterable[Row],
    columns: Sequence[str] = COLUMNS,
    headings: Sequence[str] | None = None,
) -> Iterator[Row]:
    """Yield rows and, if pyarrow is installed, write them as they pass: same rows, same bytes.

    The file exists once the last row has been taken. Without headings columns have their own names. Without
    pyarrow an older file is removed: it holds other rows.

    Raises:
        OSError: it cannot be written.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        path.unlink(missing_ok=True)
        yield from rows
        return
    held: list[Row] = []
    names = dict(zip(columns, headings or columns, strict=True))
    with (
        replacing(path) as file,
        pyarrow.parquet.ParquetWriter(file, _batch(pyarrow, held, names).schema) as writer,
    ):
        for row in rows:
            held.append(row)
            if len(held) == _ROWS_AT_A_TIME:
                writer.write_batch(_batch(pyarrow, held, names))
                held.clear()
            yield row
        if held:
            writer.write_batch(_batch(pyarrow, held, names))


def _batch(pyarrow: Any, rows: Sequence[Row], names: Mapping[str, str]) -> Any:
    return pyarrow.RecordBatch.from_pydict(
        {heading: _column(pyarrow, name, rows) for name, heading in names.items()}
    )


def _column(pyarrow: Any, name: str, rows: Sequence[Row]) -> Any:
    values = [row.get(name) for row in rows]
    if name in _TEXTS:
        # A file name need not be valid Unicode; the table always is.
        texts = [None if text is None else text.encode("utf-8", "backslashreplace") for text in values]
        return pyarrow.array(texts, pyarrow.binary()).cast(pyarrow.large_string())
    return pyarrow.array(values, pyarrow.int64() if name in _WHOLE else pyarrow.float64())
