"""All measures of one alignment by name."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens import Alignment, _core
from warplens._core import LEAST_ROW_SUM
from warplens.analysis.events import THRESHOLD, find_events, measure_alignment
from warplens.analysis.measured_alignments import MeasuredAlignments
from warplens.analysis.metrics.frames import frame_measures
from warplens.analysis.metrics.notes import Notes, note_measures_of_rolls

MEASURES: tuple[str, ...] = (
    *_core.MEASURES,
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
    "matched_notes",
    "strong_notes",
    "note_onset_f",
    "note_f",
)
"""The names of all measures, in the order of tables."""

COUNTS: tuple[str, ...] = ("events", "events_below_threshold", "matched_notes", "strong_notes")
"""Measures that are whole numbers where they are defined."""

_TABLE = np.dtype([(name, np.float64) for name in MEASURES])
_AGAINST_STRONG = MEASURES[MEASURES.index("precision") :]


def evaluate(
    alignment: Alignment,
    weak: NDArray[Any],
    *,
    strong: NDArray[Any] | None = None,
    threshold: float = THRESHOLD,
    fps: float | None = None,
    notes: Notes | None = None,
) -> dict[str, float]:
    """Compute all measures of one alignment.

    Args:
        alignment: soft alignment of x (N, D) and `weak` under a cost with modified targets.
        weak: weak target, (M, D).
        strong: strongly aligned target, (N, D), if known.
        threshold: level under which an event counts as lost, and above which Y_mod counts as active.
        fps: frames a second, for measures of notes.
        notes: the notes of the strong target where it is a list of notes; else those that its frames tell.

    Returns:
        `MEASURES` by name, in their order; NaN where one is not defined: means over events without events,
        measures against a strong target without one, measures of notes without fps.

    Raises:
        ValueError: shapes that do not fit; a cost without modified targets.
    """
    weak = np.asarray(weak)
    result = measure_alignment(
        rows_of(alignment), weak, find_events(weak), threshold=threshold, h=alignment.h
    )
    assert result.measures is not None
    measures = {"value": alignment.value, "entropy": alignment.entropy, **result.measures}
    known = None if strong is None else np.asarray(strong)
    measures |= against_strong_or_nan(alignment.y_mod, known, threshold=threshold, fps=fps, notes=notes)
    named = {name: measures[name] for name in MEASURES}
    return named | {name: int(named[name]) for name in COUNTS if not math.isnan(named[name])}


def rows_of(alignment: Alignment) -> NDArray[Any]:
    """Return rows that are H~ once divided by their sums: H itself, where every sum can be divided by."""
    return alignment.H if alignment.h.min() > LEAST_ROW_SUM else alignment.H_tilde


def table_of(
    result: MeasuredAlignments,
    *,
    strong: NDArray[Any] | None,
    threshold: float,
    fps: float | None,
    notes: Notes | None = None,
) -> NDArray[Any]:
    """Compute the measures of `evaluate` for G alignments that keep y_mod where the strong target is known.

    Returns:
        (G,), with a field of float64 for each of `MEASURES`.
    """
    measures: dict[str, Any] = {**result.measures}
    if strong is None:
        measures |= dict.fromkeys(_AGAINST_STRONG, [math.nan] * len(result.measures["value"]))
    else:
        assert result.y_mod is not None
        known = [
            against_strong(y_mod, strong, threshold=threshold, fps=fps, notes=notes) for y_mod in result.y_mod
        ]
        measures |= {name: [each[name] for each in known] for name in _AGAINST_STRONG}
    columns = np.array([measures[name] for name in MEASURES], np.float64)
    return np.ascontiguousarray(columns.T).view(_TABLE)[:, 0]


def against_strong(
    y_mod: NDArray[Any],
    strong: NDArray[Any],
    *,
    threshold: float,
    fps: float | None,
    notes: Notes | None = None,
) -> dict[str, float]:
    """Compute the measures of modified targets that need a strong target, by name."""
    measures = frame_measures(y_mod, strong, threshold)
    measures |= note_measures_of_rolls(y_mod, strong, threshold=threshold, fps=fps, notes=notes)
    return {name: measures[name] for name in _AGAINST_STRONG}


def against_strong_or_nan(
    y_mod: NDArray[Any],
    strong: NDArray[Any] | None,
    *,
    threshold: float,
    fps: float | None,
    notes: Notes | None = None,
) -> dict[str, float]:
    """Compute the measures of `against_strong`, NaN where the strong target is not known."""
    if strong is None:
        return dict.fromkeys(_AGAINST_STRONG, math.nan)
    return against_strong(y_mod, strong, threshold=threshold, fps=fps, notes=notes)


def by_name(table: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Return the fields of the result of `table_of`, (G,) each."""
    return {name: table[name] for name in table.dtype.names or ()}
