"""Measures of levels against a strong target, note by note.

Notes match as in mir_eval.transcription (Raffel et al., ISMIR 2014): same tolerances, same rounding, and a
maximum matching, whose size does not depend on how it is found.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import THRESHOLD, find_events
from warplens.analysis.metrics.frames import STRONG_THRESHOLD

ONSET_TOLERANCE = 0.05
"""Seconds by which the onset of a matched note may be off."""

OFFSET_RATIO = 0.2
"""Share of a note's duration by which its offset may be off, where that is more than the tolerance."""

_DECIMALS = 4
"""Decimals of compared seconds, as in mir_eval: 50 ms match whatever n / fps is rounded to."""

Pairs = NDArray[np.intp]

NAMES = ("onset_error_ms", "offset_error_ms", "matched_notes", "strong_notes", "note_onset_f", "note_f")


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


def find_notes(roll: NDArray[Any], *, fps: float, threshold: float = THRESHOLD) -> Notes:
    """Find the notes of a roll: maximal runs of frames above a threshold, for one feature each.

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
    """Compare notes with a reference.

    Notes are matched one to one, as many as possible, where the feature agrees and the onset to within 50 ms;
    for note_f the offset must agree too, to within 50 ms or a fifth of the reference note's duration.

    Args:
        estimate: notes in seconds, such as those that `find_notes` finds in Y_mod.
        reference: notes in seconds, on the same features.

    Returns:
        onset_error_ms and offset_error_ms, the mean absolute difference between notes that match by feature
        and onset (NaN without any; an onset that is off by more than 50 ms is no match), how many these are,
        matched_notes, and of how many of the reference, strong_notes, and the F-measures note_onset_f and
        note_f (0 where nothing matches, NaN where neither has a note).

    Raises:
        ModuleNotFoundError: SciPy is not installed (extra `analysis`).
    """
    both = len(estimate) + len(reference)
    if both == 0:
        return dict.fromkeys(NAMES, math.nan)
    pairs = _pairs_by_onset(reference, estimate)
    by_onset = _matched(pairs, len(estimate))
    in_full = _matched(pairs[_offsets_agree(pairs, reference, estimate)], len(estimate))
    errors = (math.nan, math.nan)
    if len(by_onset):
        differences = estimate.intervals[by_onset[:, 1]] - reference.intervals[by_onset[:, 0]]
        onset, offset = 1000 * np.abs(differences).mean(axis=0)
        errors = (float(onset), float(offset))
    counts = (float(len(by_onset)), float(len(reference)))
    measures = (*errors, *counts, 2 * len(by_onset) / both, 2 * len(in_full) / both)
    return dict(zip(NAMES, measures, strict=True))


def note_measures_of_rolls(
    estimate: NDArray[Any],
    strong: NDArray[Any],
    *,
    threshold: float,
    fps: float | None,
    notes: Notes | None = None,
) -> dict[str, float]:
    """Compute `note_measures` for the notes of two rolls; all NaN where fps is not known.

    Where the strong target was given as a list, its notes are the reference: frames cannot tell a note that
    is repeated without a gap from a long one.
    """
    if fps is None:
        return dict.fromkeys(NAMES, math.nan)
    reference = find_notes(strong, fps=fps, threshold=STRONG_THRESHOLD) if notes is None else notes
    return note_measures(find_notes(estimate, fps=fps, threshold=threshold), reference)


def _pairs_by_onset(reference: Notes, estimate: Notes) -> Pairs:
    """Return all (reference, estimate) pairs of notes whose feature and onset agree, (P, 2).

    They are sorted by feature, then onset of the reference note.
    """
    onsets = np.concatenate([reference.intervals[:, 0], estimate.intervals[:, 0]])
    # One feature after the other on a single axis, so far apart that no window reaches the next.
    span = np.ptp(onsets) + 1.0
    places = np.concatenate([reference.feature, estimate.feature]) * span + (onsets - onsets.min())
    of_reference, of_estimate = np.split(places, [len(reference)])
    rows, columns = np.argsort(of_reference, kind="stable"), np.argsort(of_estimate, kind="stable")
    window = ONSET_TOLERANCE + 1e-3  # a little wide: the rounded differences decide below
    begins = np.searchsorted(of_estimate[columns], of_reference[rows] - window)
    counts = np.searchsorted(of_estimate[columns], of_reference[rows] + window) - begins
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    pairs = np.stack([np.repeat(rows, counts), columns[np.repeat(begins, counts) + within]], axis=1)
    return pairs[_differences(pairs, reference, estimate)[:, 0] <= ONSET_TOLERANCE]


def _offsets_agree(pairs: Pairs, reference: Notes, estimate: Notes) -> NDArray[np.bool_]:
    """Mark the pairs that agree in offset as well, (P,)."""
    durations = np.diff(reference.intervals[pairs[:, 0]])[:, 0]
    tolerances = np.maximum(OFFSET_RATIO * durations, ONSET_TOLERANCE)
    return _differences(pairs, reference, estimate)[:, 1] <= tolerances


def _differences(pairs: Pairs, reference: Notes, estimate: Notes) -> NDArray[np.float64]:
    """Return the seconds by which onset and offset of each pair differ, (P, 2), rounded as in mir_eval."""
    difference = np.abs(reference.intervals[pairs[:, 0]] - estimate.intervals[pairs[:, 1]])
    return np.asarray(np.around(difference, _DECIMALS), np.float64)


def _matched(pairs: Pairs, n_estimates: int) -> Pairs:
    """Choose as many of the pairs as possible such that each note is in one at most, in their order."""
    # Here, since it takes long to import.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if len(pairs) == 0:
        return pairs
    begins = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))  # of the pairs of each reference note
    estimates = pairs[:, 1].astype(np.int32)
    bounds = np.append(begins, len(pairs)).astype(np.int32)
    graph = csr_array((np.ones(len(pairs), np.bool_), estimates, bounds), (len(begins), n_estimates))
    partner: NDArray[np.int32] = maximum_bipartite_matching(graph, perm_type="column")
    matched: Pairs = np.stack([pairs[begins, 0], partner], axis=1)[partner >= 0]
    return matched
