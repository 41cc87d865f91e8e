"""Measures of levels against a strong target, note by note, through mir_eval.transcription."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import find_events
from warplens.analysis.metrics.frames import STRONG_THRESHOLD

ONSET_TOLERANCE = 0.05
"""Seconds by which the onset of a matched note may be off."""

NAMES = ("onset_error_ms", "offset_error_ms", "note_onset_f", "note_f")


@dataclass(frozen=True)
class Notes:
    """K notes.

    Attributes:
        intervals: onset and offset in seconds, (K, 2).
        pitches: in Hz, (K,).
    """

    intervals: NDArray[np.float64]
    pitches: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pitches)


def find_notes(
    roll: NDArray[Any], *, fps: float, threshold: float = 0.5, lowest_pitch: int | None = None
) -> Notes:
    """Notes of a roll: maximal runs of frames above a threshold, for one feature each.

    Args:
        roll: levels, (N, D).
        fps: frames a second; frame n lasts from n / fps to (n + 1) / fps.
        threshold: level above which a frame belongs to a note.
        lowest_pitch: MIDI pitch of feature 0. Without it features are semitones about 1 Hz: notes are then
            matched by feature all the same.

    Raises:
        ValueError: roll is not two-dimensional.
    """
    runs = find_events(np.asarray(roll) > threshold)
    if lowest_pitch is None:
        semitones = runs.feature - roll.shape[1] // 2
        pitches = np.exp2(semitones / 12)
    else:
        pitches = 440 * np.exp2((lowest_pitch + runs.feature - 69) / 12)
    return Notes(np.stack([runs.start, runs.stop], axis=1) / fps, pitches)


def note_measures(estimate: Notes, reference: Notes) -> dict[str, float]:
    """How well notes agree with a reference.

    Notes are matched one to one where the pitch agrees and the onset to within 50 ms; for note_f the offset
    must agree too, to within 50 ms or a fifth of the reference note's duration.

    Returns:
        onset_error_ms and offset_error_ms, the mean absolute difference between notes that match by pitch and
        onset (NaN without any; onsets beyond 50 ms are no match), and the F-measures note_onset_f and note_f
        (0 where nothing matches, NaN where neither has a note).

    Raises:
        ModuleNotFoundError: mir_eval is not installed (extra `analysis`).
    """
    if len(estimate) == 0 or len(reference) == 0:
        f_measure = math.nan if len(estimate) == len(reference) else 0.0
        return dict(zip(NAMES, (math.nan, math.nan, f_measure, f_measure), strict=True))
    from mir_eval.transcription import match_notes  # takes a second to import

    notes = (reference.intervals, reference.pitches, estimate.intervals, estimate.pitches)
    by_onset = match_notes(*notes, onset_tolerance=ONSET_TOLERANCE, offset_ratio=None)
    in_full = match_notes(*notes, onset_tolerance=ONSET_TOLERANCE)
    errors = np.full(2, math.nan)
    if by_onset:
        of_reference, of_estimate = np.array(by_onset).T
        differences = estimate.intervals[of_estimate] - reference.intervals[of_reference]
        errors = 1000 * np.abs(differences).mean(axis=0)
    both = len(estimate) + len(reference)
    values = (*(float(error) for error in errors), 2 * len(by_onset) / both, 2 * len(in_full) / both)
    return dict(zip(NAMES, values, strict=True))


def note_measures_of_rolls(
    estimate: NDArray[Any],
    strong: NDArray[Any],
    *,
    threshold: float,
    fps: float | None,
    lowest_pitch: int | None,
) -> dict[str, float]:
    """As `note_measures` for the notes of two rolls; all NaN where fps is not known."""
    if fps is None:
        return dict.fromkeys(NAMES, math.nan)
    return note_measures(
        find_notes(estimate, fps=fps, threshold=threshold, lowest_pitch=lowest_pitch),
        find_notes(strong, fps=fps, threshold=STRONG_THRESHOLD, lowest_pitch=lowest_pitch),
    )
