"""Notes of a MIDI file."""

import io
import re
from collections import defaultdict
from pathlib import Path

import mido
import numpy as np

from warplens.io.errors import ItemError
from warplens.io.notes.notes import Notes

_PERCUSSION = 9

_NO_NUMBER = re.compile(rb"[\x80-\xff]{2000}")
"""Neither text nor a number; the library would read it as a number, in time quadratic in its length."""


def notes_of_midi(path: Path) -> Notes:
    """Return the notes of all tracks, in seconds by the file's tempi; percussion (channel 10) is left out.

    A note ends where its key is let go, whatever the pedal does, where it is struck again, or with the file.

    Raises:
        ItemError: the file is damaged, of type 2 (tracks that are not simultaneous) or has no notes.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if _NO_NUMBER.search(data):
        raise ItemError("damaged MIDI file: a number has no end")
    with io.BytesIO(data) as file:
        try:
            midi = mido.MidiFile(file=file, clip=True)
            if midi.ticks_per_beat <= 0:
                raise ItemError("its time is in SMPTE frames or in nothing, it must be in ticks a beat")
            return _sounding(midi)
        except ItemError:
            raise
        except Exception as error:  # what the library raises on a damaged file has no end
            raise ItemError(f"damaged MIDI file: {type(error).__name__} {error}") from error


def _sounding(midi: mido.MidiFile) -> Notes:
    notes: list[tuple[float, float, int]] = []
    begun: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    now = 0.0
    for message in midi:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == _PERCUSSION:
            continue
        key = (message.channel, message.note)
        notes += [(start, now, message.note) for start in begun.pop(key, ())]
        if message.type == "note_on" and message.velocity > 0:
            begun[key].append(now)
    notes += [(start, now, note) for (_, note), starts in begun.items() for start in starts]
    notes.sort()
    times = np.array([(start, end) for start, end, _ in notes], np.float64).reshape(-1, 2)
    return Notes(times[:, 0], times[:, 1], np.array([note for _, _, note in notes], np.int64))
