"""Targets of an item as the columns of its alignments, and the events among them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import Events, find_events
from warplens.analysis.losses.options import Loss
from warplens.io import AnyItem, Floats, Item


@dataclass(frozen=True)
class TargetColumns:
    """The columns of the alignments of an item, M of them, and the K events among its targets.

    The labels are never made one-hot over their classes: the level of a label is that of its own column, so
    one feature is enough for all of them.

    Attributes:
        counted: columns that are targets, not blanks, (M,); T of them.
        activity: (T, D), by which each target counts in the levels of events.
        events: the events by targets, with their class or feature.
        measured: the events with features as in `activity`.
        classes: classes over which modified targets are kept, ascending; of features all.
        shape: (N, M, D): frames, targets without blanks, classes or features.
        blank: place of the blank among `classes`, None where there is none.
    """

    counted: NDArray[np.bool_]
    activity: Floats
    events: Events
    measured: Events
    classes: NDArray[np.int64]
    shape: tuple[int, int, int]
    blank: int | None = None

    def without_blank(self, roll: NDArray[Any]) -> NDArray[Any]:
        """Return a roll (N, D) over the classes without the blank, which is no truth to be found."""
        return roll if self.blank is None else np.delete(roll, self.blank, axis=1)


def target_columns(item: AnyItem, loss: Loss) -> TargetColumns:
    """Lay out the targets of an item for a loss that it is of the kind for."""
    if isinstance(item, Item):
        events = find_events(item.weak)
        n_targets, n_features = item.weak.shape
        everything = np.arange(n_features)
        shape = (len(item.predictions), n_targets, n_features)
        return TargetColumns(np.ones(n_targets, bool), item.weak, events, events, everything, shape)
    n_frames = len(item.log_probs)
    if loss.kind == "multi-hot":
        assert item.weak is not None
        n_targets, n_features = item.weak.shape
        events = find_events(item.weak)
        shape = (n_frames, n_targets, n_features)
        everything = np.arange(n_features)
        return TargetColumns(_counted(n_targets, True), item.weak, events, events, everything, shape)
    if loss.name == "ctc":
        assert item.labels is not None
        labels, blank = item.labels, loss.blank or 0
        classes = np.unique(
            np.append(labels, blank) if item.strong is None else [*labels, blank, *item.strong]
        )
        n_classes = item.log_probs.shape[1]
        # What lies outside is refused by the alignment, with its reason.
        classes = classes[(classes >= 0) & (classes < n_classes)]
    else:
        n_classes = item.log_probs.shape[1]
        labels = np.arange(n_classes)
        classes = np.arange(n_classes + loss.has_blank)
    places = np.arange(len(labels))
    return TargetColumns(
        _counted(len(labels), loss.has_blank),
        np.ones((len(labels), 1)),
        Events(labels, places, places + 1),
        Events(np.zeros(len(labels), np.int64), places, places + 1),
        classes.astype(np.int64),
        (n_frames, len(labels), n_classes),
        _place_of_blank(classes, loss),
    )


def _counted(n_targets: int, has_blank: bool) -> NDArray[np.bool_]:
    return np.arange(2 * n_targets + 1) % 2 == 1 if has_blank else np.ones(n_targets, bool)


def _place_of_blank(classes: NDArray[np.int64], loss: Loss) -> int | None:
    blank = loss.blank or 0
    return int(np.searchsorted(classes, blank)) if loss.has_blank and blank in classes else None
