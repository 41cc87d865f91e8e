"""Small items of labels for the tests of losses."""

import numpy as np

from warplens.io import LabelItem

LABELS = np.array([1, 2, 2, 3])
NAMES = ("_", "a", "b", "c", "d")


def log_softmax(scores):
    top = scores.max(axis=-1, keepdims=True)
    return scores - top - np.log(np.exp(scores - top).sum(axis=-1, keepdims=True))


def label_item(seed=0, *, frames=14, classes=5, **known):
    scores = 1.5 * np.random.default_rng(seed).standard_normal((frames, classes))
    return LabelItem(log_softmax(scores), **{"labels": LABELS, "label_names": NAMES, **known})


def multi_hot_item(seed=0, *, frames=16, pitches=3, encoding="we"):
    rng = np.random.default_rng(seed)
    weak = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]], float)
    categories = pitches + (encoding == "we")
    components = 3 if encoding == "ne3" else 2
    return LabelItem(log_softmax(rng.standard_normal((frames, categories, components))), weak=weak)


def peaky_item(*, frames=80, seed=3):
    """Labels that the network finds in the right places, under a blank that is more probable everywhere."""
    rng = np.random.default_rng(seed)
    labels = np.array([1, 3, 4, 5, 1, 6, 2])
    scores = np.full((frames, 7), -4.0)
    scores[:, 0] = 1.5
    strong = np.zeros(frames, int)
    for place, label in zip(np.linspace(5, frames - 6, len(labels)).astype(int), labels, strict=True):
        for distance in range(-3, 4):
            scores[place + distance, label] += 5 * np.exp(-(distance**2) / 2)
        strong[place - 3 : place + 4] = label
    return LabelItem(log_softmax(scores + 0.8 * rng.standard_normal(scores.shape)), labels, strong=strong)


def save_label_item(path, item):
    """Write an item of labels as npz, its unknown fields left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {key: value for key, value in vars(item).items() if value is not None and key != "warnings"}
    np.savez(path, **known)
