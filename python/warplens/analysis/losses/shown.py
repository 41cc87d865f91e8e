"""Items of labels as rolls: what pictures and pages show of them."""

import numpy as np

from warplens.analysis.events import Events
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.losses.alignments import scores_of
from warplens.analysis.losses.item import strong_of
from warplens.analysis.losses.targets import target_columns
from warplens.io import AnyItem, Item, LabelItem


def shown_item(item: AnyItem, analysis: ItemAnalysis) -> Item:
    """Return an item as pictures show it: of labels the probabilities of the classes that occur.

    Predictions (N, D) are probabilities over the classes of Y_mod, `weak` (L, D) has a row for each label. An
    item of features is returned as it is.
    """
    if isinstance(item, Item):
        return item
    targets = target_columns(item, analysis.loss)
    strong = strong_of(item, targets)
    if item.weak is not None:
        first = 1 if (analysis.loss.encoding or "we") == "we" else 0
        predictions = np.exp(scores_of(item, analysis.loss)[:, first:, -1])
        return Item(predictions, item.weak, strong, item.fps, item.lowest_pitch)
    labels = analysis.events.feature
    # Tokens are classes behind the blank that a forward sum may have before them.
    blank_of_tokens = int(analysis.loss.kind == "tokens" and analysis.loss.has_blank)
    weak = (labels[:, np.newaxis] + blank_of_tokens == targets.classes).astype(item.log_probs.dtype)
    if len(weak) == 0:
        weak = np.zeros((1, len(targets.classes)), item.log_probs.dtype)
    return Item(_probabilities(item, analysis, blank_of_tokens), weak, strong, item.fps)


def class_names(analysis: ItemAnalysis) -> tuple[str, ...] | None:
    """Return the names of the classes of Y_mod, (D,), from the names of the labels; None for features."""
    loss = analysis.loss
    names = analysis.label_names
    if analysis.classes is None:
        return names
    blank_of_tokens = loss.kind == "tokens" and loss.has_blank
    blank = 0 if blank_of_tokens else loss.blank or 0 if loss.has_blank else -1
    shown = []
    for number in analysis.classes.tolist():
        label = number - 1 if blank_of_tokens else number
        shown.append("blank" if number == blank else str(label) if names is None else names[label])
    return tuple(shown)


def events_by_row(analysis: ItemAnalysis) -> Events:
    """Return the events with the rows of Y_mod as their features, where they are classes."""
    events = analysis.events
    if analysis.classes is None:
        return events
    numbers = events.feature + int(analysis.loss.kind == "tokens" and analysis.loss.has_blank)
    return Events(np.searchsorted(analysis.classes, numbers), events.start, events.stop)


def event_name(analysis: ItemAnalysis, feature: int) -> str:
    """Return the name of the class of a label."""
    names = analysis.label_names
    return str(feature) if names is None else names[feature]


def _probabilities(item: LabelItem, analysis: ItemAnalysis, blank_of_tokens: int) -> np.ndarray:
    scores = scores_of(item, analysis.loss)
    if analysis.loss.kind != "tokens":
        return np.asarray(np.exp(scores[:, analysis.classes]))
    probabilities = np.exp(scores)
    if not blank_of_tokens:
        return np.asarray(probabilities)
    # The blank's score stands beside those of the tokens, and rows are normalised again.
    assert analysis.loss.blank_logprob is not None
    blank = np.full((len(scores), 1), np.exp(analysis.loss.blank_logprob), scores.dtype)
    joined = np.concatenate([blank, probabilities], axis=1)
    return np.asarray(joined / joined.sum(axis=1, keepdims=True))
