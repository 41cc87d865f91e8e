"""Tables of notes as text: the columns by name, every row as wide as the line of names says."""

import re

import numpy as np
from numpy.typing import NDArray

from warplens.io.errors import ItemError
from warplens.io.notes.cells import Row, decode, delimiter_in, lines_of, rows_of
from warplens.io.notes.notes import Notes

_COLUMNS = {
    "start": ("start", "onset", "onsettime"),
    "end": ("end", "offset", "offsettime"),
    "pitch": ("pitch", "note", "midipitch"),
}
"""Needed columns, and the names that each may have, in lower case and without spaces and underscores."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)


def notes_of_text(data: bytes) -> Notes:
    """Read a table of notes.

    The first line that is not empty names the columns and may begin with '#'; lines before it that begin so
    and name no columns are passed over, as are such lines behind it, which a warning counts. Cells that no
    name belongs to must be empty, and a row may end early only where the needed columns come first. A first
    column without a name may hold names of rows, as R and pandas write them: every row then has one cell
    more than there are names, and the line of names is indented, or the first cells are quoted or no numbers.

    Raises:
        ItemError: it is empty, lacks a column, or a row has cells without a name or no number where one is
            needed; the message shows the row.
    """
    lines = lines_of(decode(data))
    at, names, indented = _line_of_names(lines)
    header = lines[at]
    delimiter = delimiter_in(header)
    first = next((line for line in lines[at + 1 :] if line.strip() and not line.startswith("#")), "")
    if delimiter not in (None, *first):
        # Headers written by numpy.savetxt name columns with commas above rows with tabs or spaces.
        delimiter = delimiter_in(first)
    rows = rows_of(lines[at + 1 :], delimiter, first_line=at + 2)
    told = [row for row in rows if not row.text.startswith("#")]
    comments = len(rows) - len(told)
    if delimiter is None and told and len(told[0].cells) == 1 and len(names) > 1 and indented:
        del told[0]  # the name of the index, on a line of its own, as pandas writes it
    if header.startswith("#") and names[0] == "" and told and told[0].width == len(names) - 1:
        del names[0]  # a mark that stands in a cell of its own above rows that have none
    places = _places(names)
    shift = _shift(told, names, places, delimiter, indented)
    table = _numbers(told, {column: place + shift for column, place in places.items()})
    start, end, pitch = table.T
    whole = np.isfinite(pitch) & (pitch == np.rint(pitch)) & (np.abs(pitch) < 1000)
    if not whole.all():
        k = int(np.flatnonzero(~whole)[0])
        raise ItemError(f"line {told[k].line}: 'pitch' is {pitch[k]:g}, it must be a MIDI note number")
    warnings = (f"{comments} lines that begin with '#' are passed over",) if comments else ()
    return Notes(start.copy(), end.copy(), pitch.astype(np.int64), warnings)


def _line_of_names(lines: list[str]) -> tuple[int, list[str], bool]:
    """Return the place of the line of names, the names, and whether the line is indented."""
    found: tuple[int, list[str], bool] | None = None
    for at, line in enumerate(lines):
        if not line.strip():
            continue
        text = line.lstrip("#") if line.startswith("#") else line
        rows = rows_of([text], delimiter_in(text), first_line=at + 1)
        names = (
            [re.sub(r"[\s_]", "", cell).lower() for cell in rows[0].cells[: rows[0].width]] if rows else []
        )
        if names and (found is None or _is_complete(names) or not line.startswith("#")):
            found = at, names, line[0] in " \t"
        if _is_complete(names) or not line.startswith("#"):
            break
    if found is None:
        raise ItemError("it is empty")
    return found


def _is_complete(names: list[str]) -> bool:
    return all(sum(name in accepted for name in names) == 1 for accepted in _COLUMNS.values())


def _places(names: list[str]) -> dict[str, int]:
    """Return the place of each needed column."""
    at = {}
    for wanted, accepted in _COLUMNS.items():
        places = [i for i, name in enumerate(names) if name in accepted]
        if len(places) != 1:
            raise ItemError(
                f"{len(places) or 'no'} column '{wanted}' (columns: {', '.join(names)}; needed: one each of "
                f"{'; '.join(' or '.join(each) for each in _COLUMNS.values())})"
            )
        at[wanted] = places[0]
    return at


def _shift(
    rows: list[Row], names: list[str], places: dict[str, int], delimiter: str | None, indented: bool
) -> int:
    """Return 1 if every row begins with a name of its own, else 0; refuse rows of another width."""
    one_more = bool(rows) and all(len(row.cells) > len(names) >= row.width - 1 for row in rows)
    if one_more and _begin_with_names(rows, delimiter is None and indented):
        return 1
    # A cell that is missing moves those behind it, where it cannot be the last.
    may_end_early = delimiter is not None and max(places.values()) < len(places)
    for row in rows:
        if row.width > len(names) or (len(row.cells) < len(names) and not may_end_early):
            raise ItemError(
                f"line {row.line}: {row.width} cells under {len(names)} names: {row.shown} (names: "
                f"{', '.join(names)}; each cell needs a name, one that holds what parts cells needs quotes, "
                "and numbers need '.' as decimal point)"
            )
    shifted = (row.cells[place + 1] for row in rows for place in places.values())
    if one_more and _count(rows) and all(map(_is_number, shifted)):
        raise ItemError(
            f"line {rows[0].line}: {len(rows[0].cells)} cells under {len(names)} names, so the first may "
            f"be a number of the row or '{names[0]}': {rows[0].shown}; name the first column or leave it out"
        )
    return 0


def _begin_with_names(rows: list[Row], indented: bool) -> bool:
    quoted = all(row.text.lstrip(" ").startswith('"') for row in rows)
    return indented or quoted or not any(_is_number(row.cells[0]) for row in rows)


def _count(rows: list[Row]) -> bool:
    firsts = [row.cells[0] for row in rows]
    return any(firsts == [str(i) for i in range(begin, begin + len(rows))] for begin in (0, 1))


def _numbers(rows: list[Row], places: dict[str, int]) -> NDArray[np.float64]:
    table = np.empty((len(rows), len(places)))
    for k, row in enumerate(rows):
        for column, (wanted, place) in enumerate(places.items()):
            if place >= len(row.cells) or not _is_number(row.cells[place]):
                raise ItemError(f"line {row.line}: column '{wanted}' holds no number: {row.shown}")
            table[k, column] = float(row.cells[place])
    return table


def _is_number(cell: str) -> bool:
    # Not what float() takes besides: 1_0 is no 10.
    return _NUMBER.fullmatch(cell) is not None
