"""A short piece of music as notes: staccato, sustained, and both at once, with tempo changes.

The score counts in beats; a tempo map turns beats into seconds. The score alone gives the weak target (what
sounds together, in which order), the performed seconds give the strong one (what sounds in which frame).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Articulation = Literal["staccato", "sustained"]

TICKS_PER_BEAT = 20
"""Resolution of the score grid: a staccato note lasts three ticks of its quaver's ten."""


class Note(NamedTuple):
    """One note: onset and length in beats, MIDI pitch, articulation."""

    onset: float
    length: float
    pitch: int
    articulation: Articulation


class TempoPoint(NamedTuple):
    """Tempo at a beat: it moves linearly in beats towards that of the next point; the last one holds."""

    beat: float
    beats_per_minute: float


@dataclass(frozen=True)
class Piece:
    """Notes sorted by onset, the tempo map that plays them, and the length in beats."""

    notes: tuple[Note, ...]
    tempo: tuple[TempoPoint, ...]
    beats: float

    def seconds(self, beat: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return the time of each beat in seconds: the integral of 60 / tempo over the beats before it."""
        grid = np.linspace(0.0, self.beats, round(self.beats * TICKS_PER_BEAT) * 4 + 1)
        middles = (grid[1:] + grid[:-1]) / 2
        tempo = np.interp(middles, [p.beat for p in self.tempo], [p.beats_per_minute for p in self.tempo])
        elapsed = np.concatenate([[0.0], np.cumsum(60.0 / tempo * np.diff(grid))])
        return np.asarray(np.interp(beat, grid, elapsed), np.float64)


def compose() -> Piece:
    """Compose the demo's piece: 48 staccato notes and 30 sustained ones in 29 seconds.

    1. beats 0-12: staccato quavers alone, slowing down at the end;
    2. beats 12-28: five legato voices that move one after another, nothing short;
    3. beats 28-40: staccato quavers over a held bass, getting faster;
    4. beats 40-44: a closing chord.
    """
    notes: list[Note] = []

    def staccato(start: float, pitches: list[int]) -> None:
        notes.extend(Note(start + i / 2, 0.15, pitch, "staccato") for i, pitch in enumerate(pitches))

    def sustained(start: float, *pitches_and_lengths: tuple[int, float]) -> None:
        for pitch, length in pitches_and_lengths:
            notes.append(Note(start, length, pitch, "sustained"))
            start += length

    staccato(
        0, [74, 78, 81, 86, 83, 79, 76, 73, 74, 81, 78, 74, 79, 83, 88, 85, 86, 81, 83, 78, 79, 76, 73, 69]
    )
    sustained(12, (74, 3), (78, 3), (76, 2), (79, 3), (78, 3), (74, 2))
    sustained(12, (69, 4), (71, 3), (73, 5), (71, 2), (69, 2))
    sustained(12, (62, 6), (64, 5), (66, 3), (62, 2))
    sustained(12, (57, 5), (59, 4), (57, 7))
    sustained(12, (50, 7), (45, 6), (50, 3))
    staccato(
        28, [85, 81, 76, 79, 83, 86, 88, 83, 80, 76, 83, 80, 81, 85, 88, 90, 86, 83, 78, 81, 85, 79, 76, 73]
    )
    sustained(28, (52, 6), (45, 6))
    sustained(28, (59, 6), (57, 6))
    for pitch in (50, 62, 66, 69, 74):
        sustained(40, (pitch, 4))

    tempo = (
        TempoPoint(0, 112),
        TempoPoint(8, 112),
        TempoPoint(12, 72),
        TempoPoint(26, 80),
        TempoPoint(28, 96),
        TempoPoint(40, 132),
        TempoPoint(40.01, 80),
    )
    return Piece(tuple(sorted(notes)), tempo, 44.0)


def score_frames(piece: Piece, pitches: range) -> NDArray[np.float32]:
    """Return the active pitches of the score at each tick, (ticks, len(pitches)) in {0, 1}, without tempo.

    Collapsing its repetitions (`warplens.collapse_repeats`) gives the weak target.
    """
    frames = np.zeros((round(piece.beats * TICKS_PER_BEAT), len(pitches)), np.float32)
    for note in piece.notes:
        start, stop = (round(beat * TICKS_PER_BEAT) for beat in (note.onset, note.onset + note.length))
        frames[start:stop, note.pitch - pitches.start] = 1.0
    return frames


def performed_frames(piece: Piece, pitches: range, frame_times: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the strong target: pitches that sound at each frame time, (N, len(pitches)) in {0, 1}.

    A frame stands for the time around it, so a note marks at least the frame nearest to its onset.
    """
    frames = np.zeros((len(frame_times), len(pitches)), np.float32)
    edges = np.concatenate([[-np.inf], (frame_times[1:] + frame_times[:-1]) / 2, [np.inf]])
    for note in piece.notes:
        start, stop = piece.seconds(np.array([note.onset, note.onset + note.length]))
        first, last = np.searchsorted(edges, [start, stop], side="right") - 1
        frames[first : max(last, first + 1), note.pitch - pitches.start] = 1.0
    return frames
