"""Items of labels as rolls: what pictures and pages show of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import Events
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.losses.alignments import log_softmax
from warplens.analysis.losses.item import strong_of
from warplens.analysis.losses.options import Loss
from warplens.analysis.losses.targets import target_columns
from warplens.io import AnyItem, Floats, Item, LabelItem


def shown_item(item: AnyItem, analysis: ItemAnalysis) -> Item:
    """Return an item as pictures show it: of labels the probabilities of the classes that occur.

    Predictions (N, D) are probabilities over the classes of Y_mod, `weak` (L, D) has a row for each label. An
    item of features is returned as it is.
    """
    if isinstance(item, Item):
        return item
    loss = analysis.loss
    targets = target_columns(item, loss)
    strong = strong_of(item, loss, targets)
    predictions = probabilities_of(item, loss, targets.classes)
    if item.weak is not None:
        return Item(predictions, item.weak, strong, item.fps, item.lowest_pitch)
    labels = analysis.events.feature
    weak = np.asarray(labels[:, np.newaxis] + loss.token_offset == targets.classes, np.float64)
    if len(weak) == 0:
        weak = np.zeros((1, len(targets.classes)))
    return Item(predictions, weak, strong, item.fps)


def class_names(analysis: ItemAnalysis) -> tuple[str, ...] | None:
    """Return the names of the classes of Y_mod, (D,), from the names of the labels; None for features."""
    if analysis.classes is None:
        return analysis.label_names
    return names_of_classes(analysis.loss, analysis.classes, analysis.label_names)


def names_of_classes(loss: Loss, classes: NDArray[np.int64], names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of classes, (D,): "blank", and names or numbers of labels."""
    blank = None if not loss.has_blank else 0 if loss.token_offset else loss.blank or 0
    labels = [None if number == blank else number - loss.token_offset for number in classes.tolist()]
    return tuple("blank" if k is None else str(k) if names is None else names[k] for k in labels)


def events_by_row(analysis: ItemAnalysis) -> Events:
    """Return the events with the rows of Y_mod as their features, where they are classes."""
    events = analysis.events
    if analysis.classes is None:
        return events
    rows = np.searchsorted(analysis.classes, events.feature + analysis.loss.token_offset)
    return Events(rows, events.start, events.stop)


def event_name(analysis: ItemAnalysis, feature: int) -> str:
    """Return the name of the class of a label."""
    names = analysis.label_names
    return str(feature) if names is None else names[feature]


def probabilities_of(item: LabelItem, loss: Loss, classes: NDArray[np.int64]) -> Floats:
    """Return what a network predicts of the classes of Y_mod, (N, D)."""
    scores = log_softmax(item.log_probs) if loss.from_logits else item.log_probs
    if loss.kind == "multi-hot":
        first = 1 if (loss.encoding or "we") == "we" else 0
        return np.asarray(np.exp(scores[:, first:, -1]))
    if loss.token_offset:
        assert loss.blank_logprob is not None
        # The blank's score stands beside those of the tokens, and rows are normalised again.
        blank = np.full((len(scores), 1), loss.blank_logprob, scores.dtype)
        scores = log_softmax(np.concatenate([blank, scores], axis=1))
    return np.asarray(np.exp(scores[:, classes]))
