"""Measures of one soft alignment: of itself, of the events of its weak target, and against strong targets.

`evaluate` gives all of them by name; `MEASURES` lists the names. The modules hold the measures of one kind
each and do not know of each other.
"""

from warplens.analysis.metrics.evaluation import COUNTS, MEASURES, evaluate
from warplens.analysis.metrics.events import magnitude_over_duration, short_and_long, short_long_peaks
from warplens.analysis.metrics.frames import (
    average_precision,
    binary_cross_entropy,
    cosine_similarity,
    frame_f_measure,
    l1_distance,
    l2_distance,
    precision_recall_f,
)
from warplens.analysis.metrics.notes import Notes, find_notes, note_measures
from warplens.analysis.metrics.soft_alignment import share_of_collapsed_targets

__all__ = [
    "COUNTS",
    "MEASURES",
    "Notes",
    "average_precision",
    "binary_cross_entropy",
    "cosine_similarity",
    "evaluate",
    "find_notes",
    "frame_f_measure",
    "l1_distance",
    "l2_distance",
    "magnitude_over_duration",
    "note_measures",
    "precision_recall_f",
    "share_of_collapsed_targets",
    "short_and_long",
    "short_long_peaks",
]
