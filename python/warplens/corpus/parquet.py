"""OUT/items.parquet: the rows of `items.csv` with their types, where the extra `parquet` is installed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warplens.analysis.metrics import COUNTS
from warplens.corpus.table import COLUMNS, Row
from warplens.io.replacing import replacing

_TEXTS = ("id", "status", "error")
_WHOLE = ("N", "M", "D", *COUNTS)


def write_parquet(path: Path, rows: Sequence[Row]) -> bool:
    """Write rows as they come, the same bytes for the same rows; False without pyarrow.

    Then no file is left either: it would be that of other rows.

    Raises:
        OSError: it cannot be written.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        path.unlink(missing_ok=True)
        return False
    kinds = {**dict.fromkeys(_TEXTS, pyarrow.string()), **dict.fromkeys(_WHOLE, pyarrow.int64())}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in COLUMNS])
    columns = [pyarrow.array([_value(row.get(field.name)) for row in rows], field.type) for field in schema]
    with replacing(path) as file:
        pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, schema=schema), file)
    return True


def _value(value: Any) -> Any:
    # A file name need not be valid Unicode; the table always is.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
