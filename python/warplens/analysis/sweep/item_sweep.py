"""Sweep of one item over gamma, reduced to sums: one alignment in memory at a time."""

from collections.abc import Sequence

import numpy as np

from warplens.analysis.events import THRESHOLD, find_events
from warplens.analysis.measured_alignments import align_and_measure
from warplens.analysis.metrics.events import short_and_long
from warplens.analysis.metrics.frames import STRONG_THRESHOLD
from warplens.analysis.silent_targets import COSTS_BLIND_TO_SILENCE
from warplens.analysis.sweep.gamma_sweep import GammaSweep, lost_to_collapse
from warplens.io import Item


def sweep_item(
    item: Item,
    *,
    gammas: Sequence[float],
    cost: str,
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    threshold: float = THRESHOLD,
) -> GammaSweep:
    """Align an item at every gamma and sum up what each keeps and loses.

    Args:
        item: predictions (N, D), weak target (M, D) and, if known, strong target (N, D).
        gammas: at least one, in any order.
        cost: a cost that has modified targets.
        step_weights: (horizontal, vertical, diagonal).
        threshold: level under which an event counts as lost, and above which Y_mod counts as active.

    Raises:
        ValueError: as `warplens.align`; the cost has no modified targets; no gamma is given.
    """
    if len(gammas) == 0:
        raise ValueError("gammas: empty, at least one is needed")
    ascending = np.array(sorted({float(gamma) for gamma in gammas}))
    events = find_events(item.weak)
    wanted = None if item.strong is None else item.strong > STRONG_THRESHOLD
    is_blind = cost in COSTS_BLIND_TO_SILENCE
    silent = len(item.weak) - int(np.count_nonzero(item.weak.any(axis=1)))
    peak, duration = (np.empty((len(ascending), len(events))) for _ in range(2))
    short_peaks, fades, entropy, silent_frames = (np.empty(len(ascending)) for _ in range(4))
    short_events, hits, active = (np.zeros(len(ascending), np.int64) for _ in range(3))
    for g, gamma in enumerate(ascending):
        result = align_and_measure(
            item.predictions,
            item.weak,
            events,
            cost=cost,
            gammas=[float(gamma)],
            step_weights=step_weights,
            threshold=threshold,
            outputs=[] if wanted is None else ["y_mod"],
            threads=1,  # a corpus runs its items side by side
        )
        levels = result.levels
        peak[g], duration[g] = levels.peak[0], levels.duration[0]
        short, _ = short_and_long(duration[g])
        short_events[g], short_peaks[g] = np.count_nonzero(short), peak[g, short].sum()
        fades[g] = (levels.onset_fade + levels.offset_fade).sum() / 2
        entropy[g] = result.measures["entropy"][0]
        silent_frames[g] = result.measures["empty_share"][0] * len(item.predictions)
        if wanted is not None:
            assert result.y_mod is not None
            taught = result.y_mod[0] > threshold
            hits[g] = np.count_nonzero(taught & wanted)
            active[g] = np.count_nonzero(taught) + np.count_nonzero(wanted)
    return GammaSweep(
        gammas=ascending,
        threshold=threshold,
        frames=len(item.predictions),
        events=len(events),
        lost=np.count_nonzero(peak < threshold, axis=1),
        lost_to_collapse=np.count_nonzero(lost_to_collapse(peak, duration, threshold), axis=1),
        short_events=short_events,
        short_peaks=short_peaks,
        fades=fades,
        entropy=entropy,
        judged=int(wanted is not None),
        hits=hits,
        active=active,
        targets=len(item.weak) if is_blind else 0,
        silent_targets=silent if is_blind else 0,
        silent_frames=silent_frames if is_blind else np.zeros(len(ascending)),
        blind_frames=len(item.predictions) if is_blind else 0,
    )
