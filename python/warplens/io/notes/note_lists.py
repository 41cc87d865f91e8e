"""Read lists of notes: text with named columns, and MIDI.

Text: the first line names the columns, in any case and order, apart by `;`, tab, `,` or spaces, and may
begin with `#`. Needed are a column of starts (`start`, `onset` or `onsettime`) and one of ends (`end`,
`offset` or `offsettime`) in seconds and one of MIDI note numbers (`pitch`, `note` or `midipitch`); others
are ignored. This covers

- Schubert Winterreise Dataset: `start;end;pitch;pitchclass;instrument`
- Beethoven Piano Sonata Dataset: `start;end;start_meas;end_meas;pitch;pitchname;timesig;articulation`
- MAPS: `OnsetTime OffsetTime MidiPitch`, apart by tabs
- tsv made from MAESTRO and MAPS for training: `# onset,offset,note,velocity` and its like.
"""

import csv
import re
from pathlib import Path

import numpy as np

from warplens.io.errors import ItemError, missing_library
from warplens.io.notes.notes import Notes
from warplens.io.regular_file import check_regular
from warplens.io.size_limit import Budget

_TEXT = (".csv", ".tsv", ".txt")
_MIDI = (".mid", ".midi")
NOTE_SUFFIXES = (*_TEXT, *_MIDI)
"""Suffixes of note lists, in any case."""

_COLUMNS = {
    "start": ("start", "onset", "onsettime"),
    "end": ("end", "offset", "offsettime"),
    "pitch": ("pitch", "note", "midipitch"),
}

_BYTES_PARSED_PER_BYTE = 40
"""Most memory of a list while it is parsed, for each byte of its file, by trial."""


def is_note_list(path: Path) -> bool:
    """Return True if a file is taken for a list of notes, by its name."""
    return path.name.lower().endswith(NOTE_SUFFIXES)


def read_notes(path: Path, budget: Budget) -> Notes:
    """Read a list of notes.

    Raises:
        ItemError: it is damaged, has no notes, lacks a column, or is too large; or the library for MIDI is
            missing.
        OSError: it cannot be read.
    """
    check_regular(path)
    budget.take(path.name, path.stat().st_size * _BYTES_PARSED_PER_BYTE)
    try:
        if path.name.lower().endswith(_TEXT):
            return _notes_of_text(path.read_bytes())
        from warplens.io.notes.midi import notes_of_midi

        return notes_of_midi(path)
    except ModuleNotFoundError as error:
        raise missing_library(path.name, error) from error
    except ItemError as error:
        raise ItemError(f"note list {path.name}: {error}") from error


def _notes_of_text(data: bytes) -> Notes:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # names of instruments; the numbers are the same
    numbered = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not numbered:
        raise ItemError("it is empty")
    header = numbered[0][1].lstrip("#").strip()
    delimiter = next((mark for mark in ";\t," if mark in header), None)
    names = [re.sub(r"[\s_]", "", name).lower() for name in _cells(header, delimiter)]
    at = {}
    for wanted, accepted in _COLUMNS.items():
        places = [i for i, name in enumerate(names) if name in accepted]
        if len(places) != 1:
            raise ItemError(
                f"{len(places) or 'no'} column '{wanted}' (columns: {', '.join(names)}; needed: one each of "
                f"{'; '.join(' or '.join(each) for each in _COLUMNS.values())})"
            )
        at[wanted] = places[0]
    if "," in header and delimiter == ",":
        # Headers written by numpy.savetxt name columns with commas above rows with tabs.
        delimiter = "," if all("," in line for _, line in numbered[1:2]) else None
    rows = np.empty((len(numbered) - 1, 3))
    for k, (i, line) in enumerate(numbered[1:]):
        cells = _cells(line, delimiter)
        for column, (wanted, place) in enumerate(at.items()):
            try:
                rows[k, column] = float(cells[place])
            except (ValueError, IndexError) as error:
                raise ItemError(
                    f"line {i}: column '{wanted}' holds no number: {line.strip()[:80]!r}"
                ) from error
    start, end, pitch = rows.T
    whole = np.isfinite(pitch) & (pitch == np.rint(pitch)) & (np.abs(pitch) < 1000)
    if not whole.all():
        k = int(np.flatnonzero(~whole)[0])
        raise ItemError(f"line {numbered[k + 1][0]}: 'pitch' is {pitch[k]:g}, it must be a MIDI note number")
    return Notes(start.copy(), end.copy(), pitch.astype(np.int64))


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
    except (csv.Error, StopIteration) as error:
        raise ItemError(f"no line of cells: {line.strip()[:80]!r} ({error})") from error
