"""One item through the lens: aligned at every gamma, with its events and measures."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from warplens._align import align_in_full
from warplens.analysis.events import EventLevels, Events, find_events, measure_alignment
from warplens.analysis.metrics import MEASURES
from warplens.analysis.metrics.evaluation import all_measures, rows_of
from warplens.io import Floats, Item


@dataclass(frozen=True)
class ItemAnalysis:
    """What G alignments of one item taught; arrays lead with the gamma axis.

    Attributes:
        gammas: ascending, (G,).
        cost: name of the local cost.
        step_weights: (horizontal, vertical, diagonal).
        threshold: level under which an event counts as lost.
        shape: (N, M, D).
        measures: `metrics.MEASURES` by name as `metrics.evaluate` gives them, (G,) each, NaN where one is not
            defined.
        h: row sums of the soft alignments, (G, N).
        y_mod: modified targets, (G, N, D).
        events: the K events of the weak target.
        levels: of the events, arrays (G, K).
        empty_targets: share of the weak target's frames that have no activity.
        empty_share: share of H~ on those frames, (G,).
        H: soft alignments, (G, N, M), if they were to be kept.
    """

    gammas: NDArray[np.float64]
    cost: str
    step_weights: tuple[float, float, float]
    threshold: float
    shape: tuple[int, int, int]
    measures: dict[str, NDArray[np.float64]]
    h: Floats
    y_mod: Floats
    events: Events
    levels: EventLevels
    empty_targets: float
    empty_share: NDArray[np.float64]
    H: Floats | None = None


def analyze_item(
    item: Item,
    *,
    gammas: Sequence[float],
    cost: str,
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    threshold: float = 0.5,
    keep_alignment: bool = False,
) -> ItemAnalysis:
    """Align an item at every gamma and measure what that teaches.

    Args:
        item: predictions (N, D), weak target (M, D) and, if known, strong target (N, D).
        gammas: at least one, in any order.
        cost: a cost that has modified targets.
        step_weights: (horizontal, vertical, diagonal).
        threshold: level under which an event counts as lost, and above which Y_mod counts as active.
        keep_alignment: keep H, (G, N, M).

    Raises:
        ValueError: as `warplens.align`; the cost has no modified targets; no gamma is given.
    """
    if len(gammas) == 0:
        raise ValueError("gammas: empty, at least one is needed")
    events = find_events(item.weak)
    measures: list[dict[str, float]] = []
    hs, y_mods, levels, Hs = [], [], [], []
    for gamma in sorted(gammas):
        # One thread: a corpus runs its items side by side.
        alignment = align_in_full(
            item.predictions, item.weak, cost=cost, gamma=gamma, step_weights=step_weights, threads=1
        )
        marginals, of_events = measure_alignment(rows_of(alignment), item.weak, events, threshold=threshold)
        levels.append(of_events)
        measures.append(
            all_measures(
                alignment,
                item.weak,
                (events, marginals, of_events),
                strong=item.strong,
                threshold=threshold,
                fps=item.fps,
            )
        )
        hs.append(alignment.h)
        y_mods.append(alignment.y_mod)
        if keep_alignment:
            Hs.append(alignment.H)
    columns = np.array([list(each.values()) for each in measures], np.float64).T.copy()
    by_name = dict(zip(MEASURES, columns, strict=True))
    return ItemAnalysis(
        gammas=np.array(sorted(gammas), np.float64),
        cost=cost,
        step_weights=step_weights,
        threshold=threshold,
        shape=(len(item.predictions), len(item.weak), item.weak.shape[1]),
        measures=by_name,
        h=np.stack(hs),
        y_mod=np.stack(y_mods),
        events=events,
        levels=_stack(levels),
        empty_targets=float(np.mean(~item.weak.any(axis=1))),
        empty_share=by_name["empty_share"],
        H=np.stack(Hs) if keep_alignment else None,
    )


def _stack(levels: Sequence[EventLevels]) -> EventLevels:
    return EventLevels(*(np.stack([getattr(each, f.name) for each in levels]) for f in fields(EventLevels)))
