"""All measures of one alignment by name."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens import Alignment
from warplens.analysis.events import EventLevels, Events, find_events, summarize_levels
from warplens.analysis.metrics.events import event_measures
from warplens.analysis.metrics.frames import frame_measures
from warplens.analysis.metrics.notes import note_measures_of_rolls
from warplens.analysis.metrics.soft_alignment import (
    diagonal_distance,
    expected_path,
    frame_entropy,
    share_of_collapsed_targets,
    share_on_empty_targets,
)

MEASURES: tuple[str, ...] = (
    "value",
    "entropy",
    "entropy_per_frame",
    "h_min",
    "h_mean",
    "h_max",
    "events",
    "events_below_threshold",
    "kept",
    "peak_mean",
    "peak_min",
    "short_event_peak",
    "long_event_peak",
    "short_long_ratio",
    "expected_duration_mean",
    "onset_fade_mean",
    "offset_fade_mean",
    "widening_mean",
    "blur",
    "path_diagonal_distance",
    "collapse",
    "empty_share",
    "precision",
    "recall",
    "f_measure",
    "average_precision",
    "l1",
    "l2",
    "bce",
    "cosine",
    "onset_error_ms",
    "offset_error_ms",
    "note_onset_f",
    "note_f",
)
"""The names of all measures, in the order of tables."""

COUNTS: tuple[str, ...] = ("events", "events_below_threshold")
"""Those that are whole numbers."""

_AGAINST_STRONG = MEASURES[MEASURES.index("precision") :]


def evaluate(
    alignment: Alignment,
    weak: NDArray[Any],
    *,
    events: Events | None = None,
    levels: EventLevels | None = None,
    strong: NDArray[Any] | None = None,
    threshold: float = 0.5,
    fps: float | None = None,
    lowest_pitch: int | None = None,
) -> dict[str, float]:
    """All measures of one alignment.

    Args:
        alignment: of x (N, D) and `weak` under a cost with modified targets.
        weak: weak target, (M, D).
        events: of `find_events`, if they are known.
        levels: of `summarize_levels`, if they are known.
        strong: strongly aligned target, (N, D), if known.
        threshold: level under which an event counts as lost, and above which Y_mod counts as active.
        fps: frames a second, for measures of notes.
        lowest_pitch: MIDI pitch of feature 0, if known.

    Returns:
        `MEASURES` by name, in their order; NaN where one is not defined: means over events without events,
        measures against a strong target without one, measures of notes without fps.

    Raises:
        ValueError: shapes that do not fit.
    """
    H_tilde = alignment.H_tilde
    weak = np.asarray(weak)
    events = find_events(weak) if events is None else events
    levels = summarize_levels(H_tilde, weak, events, threshold=threshold) if levels is None else levels
    h = alignment.h
    found = {
        "value": alignment.value,
        "entropy": alignment.entropy,
        "entropy_per_frame": float(frame_entropy(H_tilde).mean()),
        "h_min": float(h.min()),
        "h_mean": float(h.mean(dtype=np.float64)),
        "h_max": float(h.max()),
        **event_measures(events, levels, threshold),
        "path_diagonal_distance": diagonal_distance(expected_path(H_tilde), len(weak)),
        "collapse": share_of_collapsed_targets(H_tilde.sum(axis=0, dtype=np.float64)),
        "empty_share": share_on_empty_targets(H_tilde, weak),
    }
    if strong is None:
        found |= dict.fromkeys(_AGAINST_STRONG, math.nan)
    else:
        y_mod = alignment.y_mod
        found |= frame_measures(y_mod, strong, threshold)
        found |= note_measures_of_rolls(
            y_mod, strong, threshold=threshold, fps=fps, lowest_pitch=lowest_pitch
        )
    return {name: found[name] for name in MEASURES}
