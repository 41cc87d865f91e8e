"""Notes of a piano's MIDI as they sound: held by the key, then by the pedal."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from studies.mpe.errors import StudyError
from warplens.io import ItemError, Notes
from warplens.io.notes.midi_file import MidiFile, read_midi

_SUSTAIN = 64
_PEDAL_DOWN = 64

_STRUCK, _CONTROLLER = 0x90, 0xB0


def pedalled_notes(path: Path) -> Notes:
    """Read notes from onset until key and pedal are up, the pitch is struck again, or the file ends.

    Raises:
        StudyError: the file is missing, damaged or without notes.
    """
    try:
        midi = read_midi(path.read_bytes())
    except FileNotFoundError:
        raise StudyError(f"{path} does not exist; is the dataset unpacked as published?") from None
    except ItemError as error:
        raise StudyError(f"{path} is no MIDI file ({error}); unpack it again.") from None
    notes = _held(midi)
    if not notes:
        raise StudyError(f"{path} holds no notes; leave it out.")
    ticks = sorted({tick for start, end, _ in notes for tick in (start, end)})
    seconds = dict(zip(ticks, midi.seconds(ticks), strict=True))
    table = np.array([(seconds[start], seconds[end], pitch) for start, end, pitch in sorted(notes)])
    return Notes(table[:, 0], table[:, 1], table[:, 2].astype(np.int64))


def _held(midi: MidiFile) -> list[tuple[int, int, int]]:
    """Return notes as (start, end, pitch), in ticks."""
    notes: list[tuple[int, int, int]] = []
    struck: dict[tuple[int, int], int] = {}  # (channel, pitch) -> since when
    kept: defaultdict[int, set[int]] = defaultdict(set)  # channel -> pitches that the pedal alone holds
    down: defaultdict[int, bool] = defaultdict(bool)
    now = 0

    def end(channel: int, pitch: int) -> None:
        kept[channel].discard(pitch)
        if (channel, pitch) in struck:
            notes.append((struck.pop((channel, pitch)), now, pitch))

    for now, _, channel, kind, number, value in midi.events:
        if kind == _CONTROLLER:
            if number == _SUSTAIN:
                down[channel] = value >= _PEDAL_DOWN
                for pitch in [] if down[channel] else list(kept[channel]):
                    end(channel, pitch)
        elif kind == _STRUCK:
            end(channel, number)
            struck[channel, number] = now
        elif down[channel]:
            kept[channel].add(number)
        else:
            end(channel, number)
    now = midi.end
    for channel, pitch in list(struck):
        end(channel, pitch)
    return notes
