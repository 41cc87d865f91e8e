"""Measures of one alignment by any loss of the family, frames weighed by how much they are taught."""

import math

import numpy as np

from warplens.analysis.events import measure_alignment
from warplens.analysis.levels import EventLevels
from warplens.analysis.losses.alignments import LEAST_PRESENCE, LossAlignment
from warplens.analysis.losses.targets import TargetColumns
from warplens.analysis.marginals import Marginals
from warplens.analysis.metrics.events import event_measures
from warplens.analysis.metrics.soft_alignment import share_of_collapsed_targets
from warplens.io import Floats

FAMILY_MEASURES = ("blank_share", "not_taught")
"""Names of the measures beside `metrics.MEASURES`: share of frames on a blank, share of frames not taught."""


def levels_of_events(aligned: LossAlignment, targets: TargetColumns, threshold: float) -> EventLevels:
    """Summarize the levels e(n) presence(n) of the events, (K,)."""
    # A last column takes blanks and what is not taught: rows sum to 1, as those of all that is measured.
    of_targets = aligned.presence[:, np.newaxis] * aligned.rows[:, targets.counted]
    others = np.maximum(1.0 - of_targets.sum(axis=1, keepdims=True), 0.0)
    rows = np.concatenate([of_targets, others], axis=1)
    activity = np.concatenate([targets.activity, np.zeros((1, targets.activity.shape[1]))])
    return measure_alignment(rows, activity, targets.measured, threshold=threshold).levels


def family_measures(
    aligned: LossAlignment, targets: TargetColumns, levels: EventLevels, threshold: float
) -> dict[str, float]:
    """Compute all measures by name that need no strong target; NaN where one is not defined.

    `entropy_per_frame` and `path_diagonal_distance` are means over frames weighed by their presence,
    `collapse` is the share of the targets, blanks not among them, that hold less than half a frame.
    """
    presence, marginals = aligned.presence, marginals_of(aligned, targets)
    total = presence.sum()
    masses, path, of_frames = marginals.masses, marginals.path, marginals.frame_entropy
    n_frames, n_columns = aligned.rows.shape
    diagonal = np.linspace(0.0, 1.0, n_frames) if n_frames > 1 else np.array([0.5])
    distance = np.abs(path / max(n_columns - 1, 1) - diagonal) if n_columns > 1 else np.zeros(n_frames)
    return {
        "value": aligned.value,
        "entropy": max(aligned.entropy, 0.0),
        "entropy_per_frame": _mean(of_frames, presence, total),
        "h_min": float(aligned.h.min()),
        "h_mean": float(aligned.h.mean(dtype=np.float64)),
        "h_max": float(aligned.h.max()),
        **event_measures(levels, threshold),
        "path_diagonal_distance": _mean(distance, presence, total),
        "collapse": share_of_collapsed_targets(masses) if len(masses) else math.nan,
        "empty_share": _empty_share(masses, targets) if math.isnan(aligned.blank_share) else math.nan,
        "blank_share": aligned.blank_share,
        "not_taught": float(np.mean(presence < LEAST_PRESENCE)),
    }


def marginals_of(aligned: LossAlignment, targets: TargetColumns) -> Marginals:
    """Return the marginals of H~: masses of the targets, blanks not among them, weighed by presence."""
    rows = np.asarray(aligned.rows, np.float64)
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    masses = aligned.presence @ rows[:, targets.counted]
    return Marginals(masses, rows @ np.arange(rows.shape[1]), -(rows * logs).sum(axis=1))


def _mean(of_frames: Floats, presence: Floats, total: float) -> float:
    return float(of_frames @ presence / total) if total > 0 else math.nan


def _empty_share(masses: Floats, targets: TargetColumns) -> float:
    total = masses.sum()
    return float(masses[~targets.activity.any(axis=1)].sum() / total) if total > 0 else math.nan
