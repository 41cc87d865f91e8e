"""Read lists of notes: text with named columns, and MIDI.

Text: the first line names the columns, in any case and order, apart by `;`, tab, `,` or spaces, and may
begin with `#`. Needed are a column of starts (`start`, `onset` or `onsettime`) and one of ends (`end`,
`offset` or `offsettime`) in seconds and one of MIDI note numbers (`pitch`, `note` or `midipitch`); others
are ignored. Every cell needs a name (see `tables` for names of rows). This covers

- Schubert Winterreise Dataset: `start;end;pitch;pitchclass;instrument`
- Beethoven Piano Sonata Dataset: `start;end;start_meas;end_meas;pitch;pitchname;timesig;articulation`
- MAPS: `OnsetTime OffsetTime MidiPitch`, apart by tabs
- tsv made from MAESTRO and MAPS for training: `# onset,offset,note,velocity` and its like.
"""

from pathlib import Path

from warplens.io.errors import ItemError
from warplens.io.notes.midi import notes_of_midi
from warplens.io.notes.notes import Notes
from warplens.io.notes.tables import notes_of_text
from warplens.io.regular_file import check_regular
from warplens.io.size_limit import Budget

_TEXT = (".csv", ".tsv", ".txt")
_MIDI = (".mid", ".midi")
NOTE_SUFFIXES = (*_TEXT, *_MIDI)
"""Suffixes of note lists, in any case."""

_BYTES_PARSED_PER_BYTE = 70
"""Most memory of a list while it is parsed, for each byte of its file, by trial."""


def is_note_list(path: Path) -> bool:
    """Return True if a file is taken for a list of notes, by its name."""
    return path.name.lower().endswith(NOTE_SUFFIXES)


def read_notes(path: Path, budget: Budget) -> Notes:
    """Read a list of notes.

    Raises:
        ItemError: it is damaged, has no notes, lacks a column, or is too large.
        OSError: it cannot be read.
    """
    check_regular(path)
    budget.take(path.name, path.stat().st_size * _BYTES_PARSED_PER_BYTE)
    try:
        if path.name.lower().endswith(_TEXT):
            return notes_of_text(path.read_bytes())
        return notes_of_midi(path)
    except ItemError as error:
        raise ItemError(f"note list {path.name}: {error}") from error
