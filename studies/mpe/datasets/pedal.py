"""Notes of a piano's MIDI as they sound: held by the key, then by the pedal."""

from collections import defaultdict
from pathlib import Path

import mido
import numpy as np

from studies.mpe.errors import StudyError
from warplens.io import Notes

_SUSTAIN = 64
_PEDAL_DOWN = 64


def pedalled_notes(path: Path) -> Notes:
    """Read notes from onset until key and pedal are up, the pitch is struck again, or the file ends.

    Raises:
        StudyError: the file is missing, damaged or without notes.
    """
    try:
        midi = mido.MidiFile(path, clip=True)
        notes = _held(midi)
    except FileNotFoundError:
        raise StudyError(f"{path} does not exist; is the dataset unpacked as published?") from None
    except Exception as error:  # what the library raises on a damaged file has no end
        raise StudyError(f"{path} is no MIDI file ({error}); unpack it again.") from None
    if not notes:
        raise StudyError(f"{path} holds no notes; leave it out.")
    table = np.array(sorted(notes), np.float64)
    return Notes(table[:, 0], table[:, 1], table[:, 2].astype(np.int64))


def _held(midi: mido.MidiFile) -> list[tuple[float, float, int]]:
    notes: list[tuple[float, float, int]] = []
    struck: dict[tuple[int, int], float] = {}  # (channel, pitch) -> since when
    kept: defaultdict[int, set[int]] = defaultdict(set)  # channel -> pitches that the pedal alone holds
    down: defaultdict[int, bool] = defaultdict(bool)
    now = 0.0

    def end(channel: int, pitch: int) -> None:
        kept[channel].discard(pitch)
        if (channel, pitch) in struck:
            notes.append((struck.pop((channel, pitch)), now, pitch))

    for message in midi:
        now += message.time
        if message.type == "control_change" and message.control == _SUSTAIN:
            down[message.channel] = message.value >= _PEDAL_DOWN
            if not down[message.channel]:
                for pitch in list(kept[message.channel]):
                    end(message.channel, pitch)
        elif message.type == "note_on" and message.velocity > 0:
            end(message.channel, message.note)
            struck[message.channel, message.note] = now
        elif message.type in ("note_on", "note_off"):
            if down[message.channel]:
                kept[message.channel].add(message.note)
            else:
                end(message.channel, message.note)
    for channel, pitch in list(struck):
        end(channel, pitch)
    return notes
