"""Errors of weak targets: a beginning or an end that does not match, notes moved, notes left out.

What is drawn for a segment depends on the seed and on where the segment lies, on nothing else: every loss
meets the same errors.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from studies.mpe.configuration import TargetErrors
from warplens.analysis import find_events

FARTHEST_MOVE = 12
"""Semitones that a wrong note lies away at most."""

_STREAM = 3
"""Stream of random numbers of a seed; those of clips and of orders of segments are others."""


def random_numbers(seed: int, recording: str, first: int) -> np.random.Generator:
    """Make the generator of a segment, for its seed and where it lies."""
    return np.random.default_rng([seed, _STREAM, zlib.crc32(recording.encode()), first])


def mismatched_bounds(
    bounds: tuple[int, int],
    measures: int,
    starts: NDArray[np.int64] | int,
    n_frames: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Move one end of a segment, drawn among two, outwards or inwards by some measures.

    Args:
        bounds: first frame, and one past the last.
        measures: measures by which it is moved; 0 moves nothing.
        starts: first frames of measures, ascending, the end of the last one included; or frames a measure.
        n_frames: frames of the recording, where a move outwards ends.
        rng: generator of the segment.

    Returns:
        The bounds of the notes that become weak targets. At least one measure is left of the segment.
    """
    at_end, outwards = rng.integers(2, size=2).astype(bool).tolist()
    if not measures:
        return bounds
    first, stop = bounds
    bound, later = (stop if at_end else first), at_end == outwards
    if isinstance(starts, int):
        steps = np.arange(1, measures + 1) * starts
        places = np.clip(bound + steps if later else bound - steps, 0, n_frames)
    else:
        places = np.clip(starts, 0, n_frames)
        places = places[places > bound] if later else places[places < bound][::-1]
    if not outwards:
        places = places[(places > first) & (places < stop)]
    moved = int(places[min(measures, len(places)) - 1]) if len(places) else bound
    return (first, moved) if at_end else (moved, stop)


def with_wrong_notes(
    roll: NDArray[np.uint8], errors: TargetErrors, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a roll (N,D) of which some notes are left out, and some of the others moved in pitch.

    A moved note goes up or down by 1 to 12 semitones, each as likely, to a pitch that exists.
    """
    notes = find_events(roll)
    missing = rng.random(len(notes)) < errors.missing_notes
    wrong = rng.random(len(notes)) < errors.wrong_notes
    moves = rng.integers(1, FARTHEST_MOVE + 1, len(notes)) * rng.choice((-1, 1), len(notes))
    if not (missing.any() or wrong.any()):
        return roll
    n_pitches, result = roll.shape[1], np.zeros_like(roll)
    pitches = notes.feature + np.where(wrong, moves, 0)
    # Beyond the keyboard the same distance is gone to the other side.
    beyond = (pitches < 0) | (pitches >= n_pitches)
    pitches = np.where(beyond, notes.feature - np.where(wrong, moves, 0), pitches)
    for pitch, start, stop, left_out in zip(pitches, notes.start, notes.stop, missing, strict=True):
        if not left_out:
            result[start:stop, pitch] = 1
    return result
