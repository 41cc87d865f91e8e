"""Sweeps of one item by other losses than soft DTW: over gamma, or over the settings of blanks."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import THRESHOLD
from warplens.analysis.levels import EventLevels
from warplens.analysis.losses.alignments import LossAlignment, align_item
from warplens.analysis.losses.item import check_kind, strong_of
from warplens.analysis.losses.measures import levels_of_events
from warplens.analysis.losses.options import Loss
from warplens.analysis.losses.targets import TargetColumns, target_columns
from warplens.analysis.metrics.events import short_and_long
from warplens.analysis.metrics.frames import STRONG_THRESHOLD
from warplens.analysis.sweep.gamma_sweep import GammaSweep, lost_to_collapse
from warplens.analysis.sweep.setting_sweep import BlankSetting, SettingSweep
from warplens.io import AnyItem


def sweep_gammas_by_loss(
    item: AnyItem,
    loss: Loss,
    *,
    gammas: Sequence[float],
    cost: str | None = None,
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    threshold: float = THRESHOLD,
) -> GammaSweep:
    """Align an item by a loss at every gamma and sum up what each keeps and loses; see `sweep_item`."""
    check_kind(item, loss, cost)
    ascending = sorted({float(gamma) for gamma in gammas})
    targets = target_columns(item, loss)
    wanted = _wanted(item, loss, targets)
    points = []
    for gamma in ascending:
        aligned = align_item(
            item, loss, gamma=gamma, classes=targets.classes, cost=cost, step_weights=step_weights
        )
        points.append(_Point.of(aligned, targets, wanted, threshold))
    peak = np.stack([point.levels.peak for point in points])
    duration = np.stack([point.levels.duration for point in points])
    return GammaSweep(
        gammas=np.array(ascending),
        threshold=threshold,
        frames=targets.shape[0],
        events=len(targets.events),
        lost=np.count_nonzero(peak < threshold, axis=1),
        lost_to_collapse=np.count_nonzero(lost_to_collapse(peak, duration, threshold), axis=1),
        judged=int(wanted is not None),
        **_sums(points),
    )


def sweep_settings(
    item: AnyItem,
    loss: Loss,
    *,
    settings: Sequence[BlankSetting],
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    threshold: float = THRESHOLD,
) -> SettingSweep:
    """Align an item by a loss with blanks under every setting and sum up what each keeps and loses.

    Args:
        item: log-probabilities and labels, or multi-hot targets.
        loss: "ctc" or "multi-label-ctc"; its blank penalty and prior scale give way to those of the settings.
        settings: at least one, in the order of the results.
        step_weights: see `warplens.ctc`.
        threshold: level under which a label counts as lost.

    Raises:
        ValueError: as `analyze_by_loss`; no setting is given.
        ItemError: as `analyze_by_loss`.
    """
    check_kind(item, loss, None)
    if len(settings) == 0:
        raise ValueError("settings: empty, at least one is needed")
    targets = target_columns(item, loss)
    wanted = _wanted(item, loss, targets)
    points = []
    for setting in settings:
        aligned = align_item(
            item,
            setting.of(loss),
            gamma=setting.gamma,
            classes=targets.classes,
            step_weights=step_weights,
        )
        points.append(_Point.of(aligned, targets, wanted, threshold))
    frames = targets.shape[0]
    return SettingSweep(
        gammas=np.array([setting.gamma for setting in settings]),
        blank_penalties=np.array([setting.blank_penalty for setting in settings]),
        prior_scales=np.array([setting.prior_scale for setting in settings]),
        threshold=threshold,
        frames=frames,
        events=len(targets.events),
        lost=np.array([np.count_nonzero(point.is_lost) for point in points]),
        lost_to_blanks=np.array([np.count_nonzero(point.is_lost & point.beside_blanks) for point in points]),
        durations=np.array([point.levels.duration.sum() for point in points]),
        blank_frames=np.array([point.aligned.blank_share * frames for point in points]),
        judged=int(wanted is not None),
        **_sums(points),
    )


@dataclass(frozen=True)
class _Point:
    """One alignment of a sweep, reduced."""

    aligned: LossAlignment
    levels: EventLevels
    is_lost: NDArray[np.bool_]
    beside_blanks: NDArray[np.bool_]
    hits: int
    active: int

    @classmethod
    def of(
        cls,
        aligned: LossAlignment,
        targets: TargetColumns,
        wanted: NDArray[np.bool_] | None,
        threshold: float,
    ) -> "_Point":
        levels = levels_of_events(aligned, targets, threshold)
        # On a blank, or on nothing that teaches.
        blank = 1.0 - aligned.presence * aligned.rows[:, targets.counted].sum(axis=1, dtype=np.float64)
        at_peak = blank[levels.peak_frame]
        hits = active = 0
        if wanted is not None:
            taught = targets.without_blank(aligned.y_mod * aligned.presence[:, np.newaxis]) > threshold
            hits = int(np.count_nonzero(taught & wanted))
            active = int(np.count_nonzero(taught) + np.count_nonzero(wanted))
        kept_arrays = dataclasses.replace(aligned, H=_NOTHING, rows=_NOTHING, y_mod=_NOTHING)
        return cls(
            kept_arrays,
            levels,
            levels.peak < threshold,
            at_peak >= 1.0 - levels.peak - at_peak,
            hits,
            active,
        )


_NOTHING = np.zeros((0, 0))


def _wanted(item: AnyItem, loss: Loss, targets: TargetColumns) -> NDArray[np.bool_] | None:
    strong = strong_of(item, loss, targets)
    return None if strong is None else np.asarray(targets.without_blank(strong) > STRONG_THRESHOLD)


def _sums(points: Sequence[_Point]) -> dict[str, Any]:
    short_events, short_peaks = [], []
    for point in points:
        levels = point.levels
        short, _ = short_and_long(levels.duration) if len(levels.duration) else (np.zeros(0, bool), None)
        short_events.append(np.count_nonzero(short))
        short_peaks.append(levels.peak[short].sum())
    return {
        "short_events": np.array(short_events, np.int64),
        "short_peaks": np.array(short_peaks, np.float64),
        "fades": np.array([(p.levels.onset_fade + p.levels.offset_fade).sum() / 2 for p in points]),
        "entropy": np.array([max(point.aligned.entropy, 0.0) for point in points]),
        "hits": np.array([point.hits for point in points], np.int64),
        "active": np.array([point.active for point in points], np.int64),
    }
