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

OFFSET_RATIO = 0.2
"""Share of a note's duration by which its offset may be off, where that is more than the tolerance."""

NAMES = ("onset_error_ms", "offset_error_ms", "note_onset_f", "note_f")


@dataclass(frozen=True)
class Notes:
    """K notes.

    Attributes:
        intervals: onset and offset in seconds, (K, 2).
        feature: the feature of each, (K,) int64; notes match only within one feature.
    """

    intervals: NDArray[np.float64]
    feature: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.feature)

    def of_feature(self, feature: int) -> NDArray[np.intp]:
        """Indices of the notes of one feature."""
        return np.flatnonzero(self.feature == feature)


def find_notes(roll: NDArray[Any], *, fps: float, threshold: float = 0.5) -> Notes:
    """Notes of a roll: maximal runs of frames above a threshold, for one feature each.

    Args:
        roll: levels, (N, D).
        fps: frames a second; frame n lasts from n / fps to (n + 1) / fps.
        threshold: level above which a frame belongs to a note.

    Raises:
        ValueError: roll is not two-dimensional.
    """
    runs = find_events(np.asarray(roll) > threshold)
    return Notes(np.stack([runs.start, runs.stop], axis=1) / fps, runs.feature)


def note_measures(estimate: Notes, reference: Notes) -> dict[str, float]:
    """How well notes agree with a reference.

    Notes are matched one to one, as many as possible, where the feature agrees and the onset to within 50 ms;
    for note_f the offset must agree too, to within 50 ms or a fifth of the reference note's duration.

    Returns:
        onset_error_ms and offset_error_ms, the mean absolute difference between notes that match by feature
        and onset (NaN without any; an onset that is off by more than 50 ms is no match), and the F-measures
        note_onset_f and note_f (0 where nothing matches, NaN where neither has a note).

    Raises:
        ModuleNotFoundError: mir_eval is not installed (extra `analysis`).
    """
    both = len(estimate) + len(reference)
    if both == 0:
        return dict.fromkeys(NAMES, math.nan)
    by_onset = _matched(estimate, reference, by_offset=False)
    in_full = _matched(estimate, reference, by_offset=True)
    errors = (math.nan, math.nan)
    if len(by_onset):
        differences = estimate.intervals[by_onset[:, 1]] - reference.intervals[by_onset[:, 0]]
        onset, offset = 1000 * np.abs(differences).mean(axis=0)
        errors = (float(onset), float(offset))
    return dict(zip(NAMES, (*errors, 2 * len(by_onset) / both, 2 * len(in_full) / both), strict=True))


def note_measures_of_rolls(
    estimate: NDArray[Any], strong: NDArray[Any], *, threshold: float, fps: float | None
) -> dict[str, float]:
    """As `note_measures` for the notes of two rolls; all NaN where fps is not known."""
    if fps is None:
        return dict.fromkeys(NAMES, math.nan)
    return note_measures(
        find_notes(estimate, fps=fps, threshold=threshold),
        find_notes(strong, fps=fps, threshold=STRONG_THRESHOLD),
    )


def _matched(estimate: Notes, reference: Notes, *, by_offset: bool) -> NDArray[np.intp]:
    """(reference, estimate) indices of notes that match, (P, 2).

    Feature by feature: mir_eval compares every note with every other, and no match crosses features.
    """
    from mir_eval.transcription import match_notes  # here, since it takes long to import

    pairs = [np.empty((0, 2), np.intp)]
    for feature in np.intersect1d(estimate.feature, reference.feature):
        of_reference, of_estimate = reference.of_feature(feature), estimate.of_feature(feature)
        found = match_notes(
            reference.intervals[of_reference],
            np.ones(len(of_reference)),
            estimate.intervals[of_estimate],
            np.ones(len(of_estimate)),
            onset_tolerance=ONSET_TOLERANCE,
            offset_ratio=OFFSET_RATIO if by_offset else None,
            offset_min_tolerance=ONSET_TOLERANCE,
        )
        if found:
            ours, theirs = np.array(found).T
            pairs.append(np.stack([of_reference[ours], of_estimate[theirs]], axis=1))
    return np.concatenate(pairs)
