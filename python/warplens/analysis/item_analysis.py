"""Analysis of one item: aligned at every gamma, with its events and measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import THRESHOLD, Events, find_events
from warplens.analysis.levels import EventLevels
from warplens.analysis.losses.options import SDTW, Loss
from warplens.analysis.measured_alignments import align_and_measure
from warplens.analysis.metrics.evaluation import by_name, table_of
from warplens.analysis.metrics.notes import Notes
from warplens.io import Floats, Item


@dataclass(frozen=True)
class ItemAnalysis:
    """Results of G alignments of one item; arrays lead with the gamma axis.

    Attributes:
        gammas: ascending, (G,).
        cost: name of the local cost.
        step_weights: (horizontal, vertical, diagonal).
        threshold: level under which an event counts as lost.
        shape: (N, M, D).
        table: (G,), with a field for each of `metrics.MEASURES` and those of the loss, see `measures`.
        h: row sums of the soft alignments, (G, N).
        y_mod: modified targets, (G, N, D).
        events: the K events of the weak target.
        levels: levels of the events, arrays (G, K).
        empty_targets: share of the weak target's frames that have no activity.
        H: soft alignments, (G, N, M), if they were to be kept.
        fps: frames a second of the item, if known.
        lowest_pitch: MIDI number of feature 0, if known.
        loss: the loss; under others than sdtw the following are known too.
        presence: probability that a frame lies on a target that teaches it, (G, N): pictures fade Y_mod by
            it, levels of events are weighed by it; None stands for 1.
        classes: the classes over which `y_mod` is kept, where targets are classes: all that occur.
        label_names: names of all classes, where known.
    """

    gammas: NDArray[np.float64]
    cost: str
    step_weights: tuple[float, float, float]
    threshold: float
    shape: tuple[int, int, int]
    table: NDArray[Any]
    h: Floats
    y_mod: Floats
    events: Events
    levels: EventLevels
    empty_targets: float
    H: Floats | None = None
    fps: float | None = None
    lowest_pitch: int | None = None
    loss: Loss = SDTW
    presence: NDArray[np.float64] | None = None
    classes: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] | None = None

    @property
    def measures(self) -> dict[str, NDArray[np.float64]]:
        """`metrics.MEASURES` and what the loss adds, by name, (G,) each; NaN where one is not defined."""
        return by_name(self.table)

    @property
    def empty_share(self) -> NDArray[np.float64]:
        """Share of H~ on frames of the weak target that have no activity, (G,)."""
        share: NDArray[np.float64] = self.table["empty_share"]
        return share


def analyze_item(
    item: Item,
    *,
    gammas: Sequence[float],
    cost: str,
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    threshold: float = THRESHOLD,
    keep_alignment: bool = False,
) -> ItemAnalysis:
    """Align an item at every gamma and measure modified targets and events.

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
    ascending = sorted(gammas)
    events = find_events(item.weak)
    result = align_and_measure(
        item.predictions,
        item.weak,
        events,
        cost=cost,
        gammas=ascending,
        step_weights=step_weights,
        threshold=threshold,
        outputs=["h", "y_mod", "H"] if keep_alignment else ["h", "y_mod"],
        threads=1,  # a corpus runs its items side by side
    )
    assert result.h is not None
    assert result.y_mod is not None
    table = table_of(result, strong=item.strong, threshold=threshold, fps=item.fps, notes=notes_of(item))
    return ItemAnalysis(
        gammas=np.array(ascending, np.float64),
        cost=cost,
        step_weights=step_weights,
        threshold=threshold,
        shape=(len(item.predictions), len(item.weak), item.weak.shape[1]),
        table=table,
        h=result.h,
        y_mod=result.y_mod,
        events=events,
        levels=result.levels,
        empty_targets=1 - np.count_nonzero(item.weak.any(axis=1)) / len(item.weak),
        H=result.H,
        fps=item.fps,
        lowest_pitch=item.lowest_pitch,
    )


def notes_of(item: Item) -> Notes | None:
    """Return the notes of a strong target that was given as a list, else None."""
    if item.strong_notes is None:
        return None
    listed = item.strong_notes
    return Notes(np.stack([listed.start, listed.end], axis=1), listed.feature)
