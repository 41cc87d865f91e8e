"""Rows of a table as text, parted into cells.

Lines end in LF, CR or CR LF alone, and not within quotes: U+2028, U+0085 and their like belong to a cell.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from warplens.io.errors import ItemError

DELIMITERS = (";", "\t", ",")

_END_OF_LINE = re.compile(r"\r\n|\r|\n")

_TOKEN = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"(?=[ \t\r\n]|\Z)|(?P<end>\r\n|\r|\n)|(?P<word>[^ \t\r\n]+)')
"""A cell or an end of line, of a table whose cells lie apart by spaces or tabs."""

_MOST_SHOWN = 80


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        line: number of the line on which it begins, from 1.
        text: as it stands in the file.
        cells: without quotes and surrounding spaces.
    """

    line: int
    text: str
    cells: list[str]

    @property
    def width(self) -> int:
        """Cells up to the last that is not empty."""
        return next((i for i in range(len(self.cells), 0, -1) if self.cells[i - 1]), 0)

    @property
    def shown(self) -> str:
        """The row for messages."""
        text = self.text.strip()
        return repr(text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}...")


def decode(data: bytes) -> str:
    """Decode a text: UTF-8 or UTF-16 as its first bytes say, Latin-1 if it is neither.

    Raises:
        ItemError: it begins as UTF-16 and is none.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise ItemError(f"no text in UTF-16, as which it begins: {error.reason}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # names of instruments; the numbers are the same


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, their ends with them."""
    return list(io.StringIO(text, newline=""))


def delimiter_in(line: str) -> str | None:
    """Return what parts the cells of a line, None if spaces or tabs do."""
    return next((mark for mark in DELIMITERS if mark in line), None)


def rows_of(lines: list[str], delimiter: str | None, *, first_line: int) -> list[Row]:
    """Part lines into rows of cells; rows without any are left out.

    Raises:
        ItemError: a line is no row of cells.
    """
    if delimiter is None:
        rows = list(_apart_by_spaces("".join(lines), first_line))
    else:
        try:
            rows = list(_apart_by_delimiter(lines, delimiter, first_line))
        except csv.Error:
            # A quote that has no partner: it would take all lines after it into one cell.
            rows = [
                row
                for i, line in enumerate(lines, first_line)
                for row in _apart_by_delimiter([line], delimiter, i, strict=False)
            ]
    return [row for row in rows if row.width]


def _apart_by_delimiter(
    lines: list[str], delimiter: str, first_line: int, *, strict: bool = True
) -> Iterator[Row]:
    taken: list[str] = []

    def taking() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(taking(), delimiter=delimiter, skipinitialspace=True, strict=strict)
    line = first_line
    try:
        for cells in reader:
            yield Row(line, "".join(taken), [cell.strip() for cell in cells])
            line += len(taken)
            taken.clear()
    except csv.Error as error:
        if strict:
            raise
        raise ItemError(
            f"line {line}: no row of cells ({error}): {Row(line, ''.join(taken), []).shown}"
        ) from error


def _apart_by_spaces(text: str, first_line: int) -> Iterator[Row]:
    line, begin, cells = first_line, 0, list[str]()
    for token in _TOKEN.finditer(text):
        if token["end"] is None:
            cells.append(token["word"] if token["quoted"] is None else token["quoted"].replace('""', '"'))
            continue
        row = text[begin : token.end()]
        yield Row(line, row, cells)
        line += len(_END_OF_LINE.findall(row))
        begin, cells = token.end(), []
    yield Row(line, text[begin:], cells)
