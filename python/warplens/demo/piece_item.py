"""The piece as an item, and the notes of it that a loss keeps."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import warplens as wl
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.demo.piece import TICKS_PER_BEAT, Articulation, Piece, performed_frames, score_frames
from warplens.demo.salience import FRAMES_PER_SECOND, pitch_salience
from warplens.io import Item

PITCHES = range(36, 96)
"""C2 to B6."""


class KeptNotes(NamedTuple):
    """Count of the notes of one articulation that keep their peak at or above the threshold, and of all."""

    kept: int
    total: int


def piece_item(piece: Piece, samples: NDArray[np.float32]) -> Item:
    """Make predictions from the sound, weak targets from the score, strong ones from performed times."""
    predictions = pitch_salience(samples, PITCHES)
    frame_times = np.arange(len(predictions)) / FRAMES_PER_SECOND
    return Item(
        predictions,
        wl.collapse_repeats(score_frames(piece, PITCHES)).y,
        performed_frames(piece, PITCHES, frame_times),
        fps=FRAMES_PER_SECOND,
        lowest_pitch=PITCHES.start,
        cost="bce",
        step_weights=(0.1, 1.0, 1.0),
    )


def event_of_each_note(piece: Piece, analysis: ItemAnalysis) -> NDArray[np.int64]:
    """Return the index of the event of the weak target that each note of the piece became."""
    durations = wl.collapse_repeats(score_frames(piece, PITCHES)).durations
    last_ticks = np.cumsum(durations)
    events = analysis.events
    indices = []
    for note in piece.notes:
        m = np.searchsorted(last_ticks, round(note.onset * TICKS_PER_BEAT), side="right")
        at = (events.feature == note.pitch - PITCHES.start) & (events.start <= m) & (m < events.stop)
        indices.append(np.flatnonzero(at).item())
    return np.array(indices, np.int64)


def kept_notes(piece: Piece, analysis: ItemAnalysis) -> list[dict[Articulation, KeptNotes]]:
    """Count at each gamma the notes of each articulation that keep their peak at or above the threshold."""
    peaks = analysis.levels.peak[:, event_of_each_note(piece, analysis)]  # (G, notes)
    kinds: tuple[Articulation, ...] = ("staccato", "sustained")
    masks = {kind: np.array([note.articulation == kind for note in piece.notes]) for kind in kinds}
    return [
        {
            kind: KeptNotes(
                int(np.count_nonzero(at_gamma[mask] >= analysis.threshold)), int(np.count_nonzero(mask))
            )
            for kind, mask in masks.items()
        }
        for at_gamma in peaks
    ]
