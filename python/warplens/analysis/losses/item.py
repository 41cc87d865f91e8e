"""Analysis of one item by any loss of the family, at every gamma."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import THRESHOLD
from warplens.analysis.item_analysis import ItemAnalysis, analyze_item, notes_of
from warplens.analysis.levels import EventLevels
from warplens.analysis.losses.alignments import LossAlignment, align_item
from warplens.analysis.losses.measures import FAMILY_MEASURES, family_measures, levels_of_events
from warplens.analysis.losses.options import Loss
from warplens.analysis.losses.targets import TargetColumns, target_columns
from warplens.analysis.metrics.evaluation import MEASURES, against_strong_or_nan
from warplens.analysis.metrics.notes import Notes
from warplens.io import AnyItem, Floats, Item

_TABLE = np.dtype([(name, np.float64) for name in (*MEASURES, *FAMILY_MEASURES)])


def analyze_by_loss(
    item: AnyItem,
    loss: Loss,
    *,
    gammas: Sequence[float],
    cost: str | None = None,
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    threshold: float = THRESHOLD,
    keep_alignment: bool = False,
) -> ItemAnalysis:
    """Align an item by a loss of the family at every gamma, and measure modified targets and events.

    Where targets are classes each label is an event. The level of an event in a frame is its share of Y_mod
    times the presence of the frame, the probability that it lies on a column that teaches: min(h(n), 1) where
    steps have the weight 1. So what is dropped or left out counts for nothing, whatever its Y_mod.

    Args:
        item: of the kind that the loss needs: an `Item`, or a `LabelItem` where targets are classes.
        loss: a loss and its options.
        gammas: at least one, in any order.
        cost: local cost, where the loss takes one.
        step_weights: where the loss takes them.
        threshold: level under which an event counts as lost, and above which Y_mod counts as active.
        keep_alignment: keep H, (G, N, M).

    Raises:
        ValueError: as the functions of `warplens`; no gamma is given; the item is of another kind.
        ItemError: the item lacks what an option asks for, or its scores are no log-probabilities.
    """
    check_kind(item, loss, cost)
    if isinstance(item, Item) and loss.name == "sdtw":
        assert cost is not None
        return analyze_item(
            item,
            gammas=gammas,
            cost=cost,
            step_weights=step_weights,
            threshold=threshold,
            keep_alignment=keep_alignment,
        )
    if len(gammas) == 0:
        raise ValueError("gammas: empty, at least one is needed")
    targets = target_columns(item, loss)
    ascending = sorted(gammas)
    aligned = [
        align_item(item, loss, gamma=gamma, classes=targets.classes, cost=cost, step_weights=step_weights)
        for gamma in ascending
    ]
    levels = [levels_of_events(each, targets, threshold) for each in aligned]
    truth = strong_of(item, loss, targets)
    strong = None if truth is None else targets.without_blank(truth)
    notes = notes_of(item) if isinstance(item, Item) else None
    table = np.array(
        [
            _row(each, targets, of_events, strong, threshold=threshold, fps=item.fps, notes=notes)
            for each, of_events in zip(aligned, levels, strict=True)
        ],
        _TABLE,
    )
    names = None if isinstance(item, Item) else item.label_names

    def stacked(arrays: Iterable[Floats]) -> Floats:
        return np.asarray(np.stack(list(arrays)))

    return ItemAnalysis(
        gammas=np.array(ascending, np.float64),
        cost=cost or loss.name,
        step_weights=step_weights,
        threshold=threshold,
        shape=targets.shape,
        table=table,
        h=stacked(each.h for each in aligned),
        y_mod=stacked(each.y_mod for each in aligned),
        events=targets.events,
        levels=EventLevels(np.stack([each.records for each in levels])),
        empty_targets=0.0,
        H=stacked(each.H for each in aligned) if keep_alignment else None,
        loss=loss,
        presence=np.stack([each.presence for each in aligned]),
        classes=None if isinstance(item, Item) or loss.kind == "multi-hot" else targets.classes,
        label_names=names,
        fps=item.fps,
        lowest_pitch=item.lowest_pitch,
    )


def check_kind(item: AnyItem, loss: Loss, cost: str | None) -> None:
    """Raise ValueError where an item is not of the kind that a loss needs, or the loss lacks a cost."""
    if isinstance(item, Item) != (loss.kind == "features"):
        needed = "an Item" if loss.kind == "features" else "a LabelItem"
        raise ValueError(f"item: is a {type(item).__name__}; the loss {loss.name} needs {needed}")
    if loss.kind == "features" and cost is None:
        raise ValueError(f"cost: is not given; the loss {loss.name} needs one")


def strong_of(item: AnyItem, loss: Loss, targets: TargetColumns) -> NDArray[Any] | None:
    """Return the strong target over the classes kept, (N, D), None where it is not known."""
    if item.strong is None or item.strong.ndim == 2:
        return item.strong
    return np.asarray(item.strong[:, np.newaxis] + loss.token_offset == targets.classes, np.float64)


def _row(
    aligned: LossAlignment,
    targets: TargetColumns,
    levels: EventLevels,
    strong: NDArray[Any] | None,
    *,
    threshold: float,
    fps: float | None,
    notes: Notes | None,
) -> tuple[float, ...]:
    taught = targets.without_blank(aligned.y_mod * aligned.presence[:, np.newaxis])
    measures = family_measures(aligned, targets, levels, threshold)
    measures |= against_strong_or_nan(taught, strong, threshold=threshold, fps=fps, notes=notes)
    return tuple(measures[name] for name in _TABLE.names or ())


def with_faded_targets(analysis: ItemAnalysis) -> ItemAnalysis:
    """Return an analysis whose Y_mod is faded where frames are hardly taught, for pictures and sound."""
    if analysis.presence is None:
        return analysis
    return dataclasses.replace(analysis, y_mod=analysis.y_mod * analysis.presence[..., np.newaxis])
