"""One item whose targets are classes: log-probabilities and labels of one recording, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from warplens._numbers import check_unmasked
from warplens.io.arrays.container import KEYS, LABEL_KEYS
from warplens.io.errors import ItemError
from warplens.io.item import Floats, Item, as_fps, as_lowest_pitch, make_item

ItemKind: TypeAlias = Literal["features", "labels", "multi-hot", "tokens"]
"""Form of the targets: as features (M, D), as classes (L,), as multi-hot classes (M, D), by the columns."""


@dataclass(frozen=True)
class LabelItem:
    """Log-probabilities and targets of one recording.

    Attributes:
        log_probs: (N, K) log-probabilities of K classes, or of M tokens; (N, A, C) of C components of A
            categories where targets are multi-hot. -inf forbids.
        labels: (L,) classes, without timing, where targets are classes.
        weak: (M, D) of 0 and 1, where targets are multi-hot.
        strong: strongly aligned targets, where known: (N,) the class of each frame, or multi-hot (N, D).
        label_names: (K,) names of the classes, where known.
        log_priors: (K,) logarithms of class priors, where known.
        prior: (N, M) log-probabilities of tokens that are added, where known.
        fps: frames a second, where known.
        lowest_pitch: MIDI number of category 0 where the categories are semitones, where known.
        warnings: what of its files was passed over, left out or filled in, a sentence each.
    """

    log_probs: Floats
    labels: NDArray[np.int64] | None = None
    weak: Floats | None = None
    strong: NDArray[Any] | None = None
    label_names: tuple[str, ...] | None = None
    log_priors: NDArray[np.float64] | None = None
    prior: Floats | None = None
    fps: float | None = None
    lowest_pitch: int | None = None
    warnings: tuple[str, ...] = ()


AnyItem: TypeAlias = Item | LabelItem


def keys_of_kind(kind: ItemKind) -> tuple[str, ...]:
    """Return the keys that an item of a kind is read from."""
    return KEYS if kind == "features" else LABEL_KEYS


def make_any_item(kind: ItemKind, values: Mapping[str, Any], *, warnings: Sequence[str] = ()) -> AnyItem:
    """Check named values and make an item of a kind of them; errors as `make_item` and `make_label_item`."""
    if kind == "features":
        return make_item(values, warnings=warnings)
    return make_label_item(kind, values, warnings=warnings)


def make_label_item(kind: ItemKind, values: Mapping[str, Any], *, warnings: Sequence[str] = ()) -> LabelItem:
    """Check named values and make a `LabelItem` of them; names it does not know are ignored.

    Args:
        kind: "labels": `log_probs` (N, K) with `labels` (L,), or `weak` (L, K) with a single 1 in each row;
            "multi-hot": `log_probs` (N, A, C) with `weak` (M, D); "tokens": `log_probs` (N, M) alone.
        values: these, and where known `strong`, `fps`, `lowest_pitch`, `label_names`, `log_priors`, `prior`.
            `predictions` stand for `log_probs` where these are not there.
        warnings: of what read the values; the item has them too.

    Raises:
        ItemError: a key is missing; an array has the wrong dtype or number of dimensions, is empty, or holds
            NaN or +inf; labels are no whole numbers; sizes differ; a scalar is out of range.
    """
    key = "log_probs" if values.get("log_probs") is not None else "predictions"
    if values.get(key) is None:
        raise _missing("log_probs", values, "log_probs or predictions, with " + _TARGETS[kind])
    log_probs = _scores(key, values[key], 3 if kind == "multi-hot" else 2)
    n_frames, n_classes = log_probs.shape[:2]
    labels = weak = None
    if kind == "labels":
        labels = _labels(values, n_classes)
    elif kind == "multi-hot":
        if values.get("weak") is None:
            raise _missing("weak", values, _TARGETS[kind])
        weak = _multi_hot("weak", values["weak"], log_probs.dtype)
    names = _names(values.get("label_names"))
    named = weak.shape[1] if weak is not None else n_classes
    if names is not None and len(names) != named:
        raise ItemError(f"'label_names' has {len(names)} names; one for each of {named} classes is needed")
    prior = None if values.get("prior") is None or kind != "tokens" else _scores("prior", values["prior"], 2)
    if prior is not None and prior.shape != log_probs.shape:
        raise ItemError(f"'prior' has shape {prior.shape}, it must be that of '{key}', {log_probs.shape}")
    return LabelItem(
        log_probs,
        labels,
        weak,
        _strong(values.get("strong"), n_frames, weak, n_classes),
        names,
        _priors(values.get("log_priors"), n_classes) if kind == "labels" else None,
        prior,
        as_fps(values.get("fps")),
        as_lowest_pitch(values.get("lowest_pitch")) if kind == "multi-hot" else None,
        tuple(warnings),
    )


_TARGETS: dict[ItemKind, str] = {
    "labels": "labels or a one-hot weak",
    "multi-hot": "weak (M, D) of 0 and 1",
    "tokens": "a column for each token",
}


def _missing(key: str, values: Mapping[str, Any], needed: str) -> ItemError:
    keys = ", ".join(sorted(values)) or "none"
    return ItemError(f"missing array '{key}' (keys found: {keys}; needed: {needed})")


def _array(key: str, value: Any, kinds: str, dimensions: int) -> NDArray[Any]:
    try:
        check_unmasked(f"'{key}'", value)
    except ValueError as error:
        raise ItemError(str(error)) from None
    array = np.asarray(value)
    if array.dtype.kind not in kinds:
        wanted = "whole" if "f" not in kinds else "real"
        raise ItemError(f"'{key}' has dtype {array.dtype}, it must hold {wanted} numbers")
    if array.ndim != dimensions:
        raise ItemError(
            f"'{key}' has {array.ndim} dimensions (shape {array.shape}), it must have {dimensions}"
        )
    return array


def _scores(key: str, value: Any, dimensions: int) -> Floats:
    array = _array(key, value, "iuf", dimensions)
    if array.size == 0:
        raise ItemError(f"'{key}' is empty: shape {array.shape}")
    native = array.dtype.newbyteorder("=")
    if native not in (np.dtype(np.float32), np.dtype(np.float64)):
        native = np.dtype(np.float32 if array.dtype.kind == "f" and native.itemsize < 4 else np.float64)
    array = np.ascontiguousarray(array, native)
    refused = ~(array < np.inf)
    if refused.any():
        index = tuple(int(i) for i in np.argwhere(refused)[0])
        raise ItemError(f"'{key}' is {array[index]} at index {index}; values must be below +inf")
    return array


def _labels(values: Mapping[str, Any], n_classes: int) -> NDArray[np.int64]:
    if values.get("labels") is not None:
        array = _array("labels", values["labels"], "iuf" if np.size(values["labels"]) == 0 else "iu", 1)
        return array.astype(np.int64)
    if values.get("weak") is None:
        raise _missing("labels", values, _TARGETS["labels"])
    weak = _multi_hot("weak", values["weak"], np.dtype(np.float64))
    if weak.shape[1] != n_classes:
        raise ItemError(
            f"'weak' has {weak.shape[1]} classes and 'log_probs' {n_classes}: give 'labels' (L,), or one-hot "
            "rows over all classes"
        )
    several = np.flatnonzero(weak.sum(axis=1) != 1)
    if several.size:
        raise ItemError(
            f"'weak' has {weak[several[0]].sum():g} active classes at target {several[0]}; labels have one "
            "each (several at once: --loss multi-label-ctc)"
        )
    return np.asarray(weak.argmax(axis=1), np.int64)


def _multi_hot(key: str, value: Any, dtype: np.dtype[Any]) -> Floats:
    array = _array(key, value, "biuf", 2)
    if array.size == 0:
        raise ItemError(f"'{key}' is empty: shape {array.shape}")
    refused = (array != 0) & (array != 1)
    if refused.any():
        index = tuple(int(i) for i in np.argwhere(refused)[0])
        raise ItemError(f"'{key}' is {array[index]} at index {index}; 0 and 1 are accepted")
    return np.ascontiguousarray(array, dtype)


def _strong(value: Any, n_frames: int, weak: Floats | None, n_classes: int) -> NDArray[Any] | None:
    if value is None:
        return None
    if weak is not None:
        strong = _multi_hot("strong", value, weak.dtype)
        if strong.shape != (n_frames, weak.shape[1]):
            raise ItemError(
                f"'strong' has shape {strong.shape}, it must be (N, D) = {(n_frames, weak.shape[1])}"
            )
        return strong
    classes = _array("strong", value, "iu", 1).astype(np.int64)
    if classes.shape != (n_frames,):
        raise ItemError(f"'strong' has {len(classes)} frames and 'log_probs' {n_frames}")
    refused = np.flatnonzero((classes < 0) | (classes >= n_classes))
    if refused.size:
        raise ItemError(
            f"'strong' is {classes[refused[0]]} at frame {refused[0]}; classes from 0 to {n_classes - 1} are "
            "accepted"
        )
    return classes


def _names(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    array = np.asarray(value)
    if array.ndim != 1 or array.dtype.kind not in "US":
        raise ItemError(
            f"'label_names' has shape {array.shape} and dtype {array.dtype}; one text a class is needed"
        )
    return tuple(
        name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in array.tolist()
    )


def _priors(value: Any, n_classes: int) -> NDArray[np.float64] | None:
    if value is None:
        return None
    priors = _array("log_priors", value, "iuf", 1).astype(np.float64)
    if priors.shape != (n_classes,) or not np.isfinite(priors).all():
        raise ItemError(
            f"'log_priors' has shape {priors.shape}; finite logarithms of ({n_classes},) classes are needed"
        )
    return priors
