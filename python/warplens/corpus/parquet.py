"""OUT/items.parquet: the rows of `items.csv` with their types, where the extra `parquet` is installed."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.metrics import COUNTS
from warplens.corpus.table import COLUMNS, Row
from warplens.io.replacing import replacing

_TEXTS = ("id", "status", "error")
_WHOLE = ("N", "M", "D", *COUNTS)

_ROWS_AT_A_TIME = 256
"""Rows that are held, and then a group in the file."""


def through_parquet(path: Path, rows: Iterable[Row]) -> Iterator[Row]:
    """Hand on rows, and write them as they pass, the same bytes for the same rows, if there is pyarrow.

    The file is there when the last row has been taken. Without pyarrow no file is left either: it would be
    that of other rows.

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
    with (
        replacing(path) as file,
        pyarrow.parquet.ParquetWriter(file, _batch(pyarrow, held).schema) as writer,
    ):
        for row in rows:
            held.append(row)
            if len(held) == _ROWS_AT_A_TIME:
                writer.write_batch(_batch(pyarrow, held))
                held.clear()
            yield row
        if held:
            writer.write_batch(_batch(pyarrow, held))


def _batch(pyarrow: Any, rows: Sequence[Row]) -> Any:
    columns = {}
    for name in COLUMNS:
        values = [row.get(name) for row in rows]
        if name in _TEXTS:
            columns[name] = _text_column(pyarrow, values)
        else:
            columns[name] = _number_column(pyarrow, values, np.int64 if name in _WHOLE else np.float64)
    return pyarrow.RecordBatch.from_pydict(columns)


# Made of buffers: `pyarrow.array` imports pandas where it is installed, which takes longer than a small run.


def _number_column(pyarrow: Any, values: Sequence[Any], dtype: type) -> Any:
    numbers: NDArray[Any] = np.array([0 if value is None else value for value in values], dtype)
    kind = pyarrow.int64() if dtype is np.int64 else pyarrow.float64()
    buffers = [_validity(pyarrow, values), pyarrow.py_buffer(numbers.tobytes())]
    return pyarrow.Array.from_buffers(kind, len(values), buffers)


def _text_column(pyarrow: Any, values: Sequence[str | None]) -> Any:
    # A file name need not be valid Unicode; the table always is.
    texts = [(value or "").encode("utf-8", "backslashreplace") for value in values]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    buffers = [
        _validity(pyarrow, values),
        pyarrow.py_buffer(ends.tobytes()),
        pyarrow.py_buffer(b"".join(texts)),
    ]
    return pyarrow.Array.from_buffers(pyarrow.large_string(), len(values), buffers)


def _validity(pyarrow: Any, values: Sequence[Any]) -> Any:
    known = np.array([value is not None for value in values], bool)
    return pyarrow.py_buffer(np.packbits(known, bitorder="little").tobytes())
