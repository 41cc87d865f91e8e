"""All measures of one alignment by name."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens import Alignment
from warplens.analysis.events import Events, find_events, measure_alignment
from warplens.analysis.levels import EventLevels
from warplens.analysis.marginals import Marginals
from warplens.analysis.measured_alignments import MeasuredAlignments
from warplens.analysis.metrics.events import event_measures
from warplens.analysis.metrics.frames import frame_measures
from warplens.analysis.metrics.notes import note_measures_of_rolls
from warplens.analysis.metrics.soft_alignment import soft_alignment_measures

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

_TABLE = np.dtype([(name, np.float64) for name in MEASURES])
_LEAST_ROW_SUM = 1e-20
_AGAINST_STRONG = MEASURES[MEASURES.index("precision") :]


def evaluate(
    alignment: Alignment,
    weak: NDArray[Any],
    *,
    strong: NDArray[Any] | None = None,
    threshold: float = 0.5,
    fps: float | None = None,
) -> dict[str, float]:
    """All measures of one alignment.

    Args:
        alignment: of x (N, D) and `weak` under a cost with modified targets.
        weak: weak target, (M, D).
        strong: strongly aligned target, (N, D), if known.
        threshold: level under which an event counts as lost, and above which Y_mod counts as active.
        fps: frames a second, for measures of notes.

    Returns:
        `MEASURES` by name, in their order; NaN where one is not defined: means over events without events,
        measures against a strong target without one, measures of notes without fps.

    Raises:
        ValueError: shapes that do not fit; a cost without modified targets.
    """
    weak = np.asarray(weak)
    events = find_events(weak)
    marginals, levels = measure_alignment(rows_of(alignment), weak, events, threshold=threshold)
    found = MeasuredAlignments(
        np.array([alignment.value]),
        np.array([alignment.entropy]),
        Marginals(*(values[np.newaxis] for values in vars(marginals).values())),
        EventLevels(levels.records[np.newaxis]),
        h=alignment.h[np.newaxis],
        y_mod=None if strong is None else alignment.y_mod[np.newaxis],
    )
    reference = None if strong is None else np.asarray(strong)
    table = all_measures(found, weak, events, strong=reference, threshold=threshold, fps=fps)
    return {name: int(of[0]) if name in COUNTS else float(of[0]) for name, of in by_name(table).items()}


def rows_of(alignment: Alignment) -> NDArray[Any]:
    """Rows that are H~ once divided by their sums: H itself, where every sum can be divided by."""
    return alignment.H if alignment.h.min() > _LEAST_ROW_SUM else alignment.H_tilde


def all_measures(
    found: MeasuredAlignments,
    weak: NDArray[Any],
    events: Events,
    *,
    strong: NDArray[Any] | None,
    threshold: float,
    fps: float | None,
) -> NDArray[Any]:
    """As `evaluate`, of G alignments that have h, and y_mod where the strong target is known.

    Returns:
        (G,), with a field of float64 for each of `MEASURES`.
    """
    assert found.h is not None
    measures: dict[str, Any] = {
        "value": found.value,
        "entropy": found.entropy,
        **soft_alignment_measures(found.h, found.marginals, weak),
        **event_measures(events, found.levels, threshold),
        **dict.fromkeys(_AGAINST_STRONG, math.nan),
    }
    if strong is not None:
        assert found.y_mod is not None
        of_each = [
            frame_measures(y_mod, strong, threshold)
            | note_measures_of_rolls(y_mod, strong, threshold=threshold, fps=fps)
            for y_mod in found.y_mod
        ]
        measures |= {name: [measures_of[name] for measures_of in of_each] for name in _AGAINST_STRONG}
    table = np.empty(len(found.value), _TABLE)
    for name in MEASURES:
        table[name] = measures[name]
    return table


def by_name(table: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """The fields of what `all_measures` returns, (G,) each."""
    return {name: table[name] for name in MEASURES}
