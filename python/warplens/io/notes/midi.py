"""Notes of a MIDI file."""

from collections import defaultdict, deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from warplens.io.errors import ItemError
from warplens.io.notes.midi_file import KeyEvent, MidiFile, read_midi
from warplens.io.notes.notes import Notes

_PERCUSSION = 9

_LET_GO, _STRUCK = 0x80, 0x90


def notes_of_midi(path: Path) -> Notes:
    """Return the notes of all tracks, in seconds by the file's tempi; percussion (channel 10) is left out.

    A note ends where its key is let go, whatever the pedal does. Within a track, channel and pitch, the first
    key that is let go belongs to the first that was struck, the second to the second, and so on: notes may
    overlap, or begin at the tick at which the one before ends. What finds no partner is left out. In a file
    in which no key is ever let go, a note ends where its key is struck again, or with the file.

    Warnings count what was passed over, the notes of percussion and what found no partner.

    Raises:
        ItemError: the file is damaged, of type 2 (tracks that are not simultaneous) or has no notes.
        OSError: it cannot be read.
    """
    midi = read_midi(path.read_bytes())
    keys = [event for event in midi.events if event.kind in (_LET_GO, _STRUCK)]
    melodic = [event for event in keys if event.channel != _PERCUSSION]
    drums = sum(event.kind == _STRUCK and event.channel == _PERCUSSION for event in keys)
    warnings = _passed_over(midi)
    if drums:
        warnings.append(f"{drums} notes of percussion (channel 10) are left out")
    if any(event.kind == _LET_GO for event in melodic):
        notes, struck, let_go = _paired(melodic)
        if struck or let_go:
            warnings.append(
                f"{struck} notes that are never let go and {let_go} ends of notes that were never struck are "
                "left out (in the same track and channel)"
            )
    else:
        notes = _restruck(melodic, midi.end)
        if notes:
            warnings.append("no key is ever let go: notes end where it is struck again, or with the file")
    if not notes:
        raise ItemError(f"it holds no notes{f' ({warnings[-1]})' if warnings else ''}")
    return _in_seconds(notes, midi, warnings)


def _paired(events: Sequence[KeyEvent]) -> tuple[list[tuple[int, int, int]], int, int]:
    """Return notes as (start, end, pitch) in ticks, and how many beginnings and ends have no partner."""
    struck: defaultdict[tuple[int, int, int], deque[int]] = defaultdict(deque)
    notes, alone = [], 0
    for event in events:
        waiting = struck[event.track, event.channel, event.number]
        if event.kind == _STRUCK:
            waiting.append(event.tick)
        elif waiting:
            notes.append((waiting.popleft(), event.tick, event.number))
        else:
            alone += 1
    return notes, sum(map(len, struck.values())), alone


def _restruck(events: Sequence[KeyEvent], end: int) -> list[tuple[int, int, int]]:
    """Return notes as (start, end, pitch) in ticks, of keys that are never let go."""
    struck: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
    for event in events:
        struck[event.track, event.channel, event.number].append(event.tick)
    return [
        (start, stop, pitch)
        for (_, _, pitch), starts in struck.items()
        for start, stop in zip(starts, [*starts[1:], max(end, starts[-1])], strict=True)
    ]


def _in_seconds(notes: list[tuple[int, int, int]], midi: MidiFile, warnings: Sequence[str]) -> Notes:
    ticks = sorted({tick for start, end, _ in notes for tick in (start, end)})
    seconds = dict(zip(ticks, midi.seconds(ticks), strict=True))
    notes.sort()
    return Notes(
        np.array([seconds[start] for start, _, _ in notes], np.float64),
        np.array([seconds[end] for _, end, _ in notes], np.float64),
        np.array([pitch for _, _, pitch in notes], np.int64),
        tuple(warnings),
    )


def _passed_over(midi: MidiFile) -> list[str]:
    counted = ", ".join(f"{what} ({count})" for what, count in midi.passed_over.items())
    return [f"passed over: {counted}"] if counted else []
