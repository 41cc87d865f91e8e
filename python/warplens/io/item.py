"""One item of a corpus: the predictions and targets of one recording, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import warplens as wl
from warplens._numbers import check_unmasked
from warplens._sequences import finite_extremes
from warplens.io.errors import ItemError
from warplens.io.notes.notes import Notes, PlacedNotes, place_notes

Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
"""An array of float32 or float64."""


@dataclass(frozen=True)
class Item:
    """Predictions and targets of one recording.

    Attributes:
        predictions: network output, (N, D), N frames of D features.
        weak: weak target, (M, D), without repetitions and without timing.
        strong: strongly aligned target, (N, D), where known.
        fps: prediction frames a second, where known.
        lowest_pitch: MIDI number of feature 0 when the features are semitones, where known.
        cost: name of the local cost the predictions are meant for, where known.
        step_weights: (horizontal, vertical, diagonal) the item is meant to be aligned with, where known.
        strong_notes: the notes of a strong target that was given as a list: frames cannot tell a note that is
            repeated without a gap from a long one.
        warnings: what of its files was passed over, left out or filled in, a sentence each.
    """

    predictions: Floats
    weak: Floats
    strong: Floats | None = None
    fps: float | None = None
    lowest_pitch: int | None = None
    cost: str | None = None
    step_weights: tuple[float, float, float] | None = None
    strong_notes: PlacedNotes | None = None
    warnings: tuple[str, ...] = ()


def make_item(values: Mapping[str, Any], *, warnings: Sequence[str] = ()) -> Item:
    """Check named values and make an `Item` of them; names it does not know are ignored.

    Predictions keep float32 or float64 and are cast to float32 from half precision, to float64 from integers;
    targets of booleans or integers take the dtype of the predictions. A strong target may be `Notes`, and
    becomes the frames in which they sound (see `place_notes`); a weak target may be, and becomes those frames
    without repetitions (the paper's rule). With `pitch_classes` the notes of all octaves become twelve
    features, the first of them that of `lowest_pitch`, or C where that is not given. Notes that do not fit
    are left out, which `Item.warnings` counts.

    Args:
        values: `predictions`, `weak` and where known `strong`, `fps`, `lowest_pitch`, `pitch_classes`,
            `cost` and `step_weights`.
        warnings: of what read the values; the item has them too.

    Raises:
        ItemError: a key is missing; an array is not numeric, not two-dimensional, empty or not finite; the
            feature counts differ; strong and predictions differ in shape; a scalar is not one or is out of
            range; notes are given without fps or lowest_pitch, or do not fit them; values are masked.
    """
    for key in ("predictions", "weak"):
        if values.get(key) is None:
            keys = ", ".join(sorted(values)) or "none"
            raise ItemError(f"missing array '{key}' (keys found: {keys}; needed: predictions, weak)")
    predictions = _sequence("predictions", values["predictions"], np.dtype(np.float64))
    fps, lowest_pitch = as_fps(values.get("fps")), as_lowest_pitch(values.get("lowest_pitch"))
    fold = _flag("pitch_classes", values.get("pitch_classes"))
    placed = {
        key: _placed(key, values[key], predictions, fps, lowest_pitch, fold)
        for key in ("weak", "strong")
        if isinstance(values.get(key), Notes)
    }
    shape = len(predictions), predictions.shape[1]
    weak_value = values["weak"]
    if "weak" in placed:
        weak_value = wl.collapse_repeats(placed["weak"].roll(*shape, predictions.dtype)).y
    weak = _sequence("weak", weak_value, predictions.dtype)
    if weak.shape[1] != predictions.shape[1]:
        raise ItemError(
            f"'weak' has {weak.shape[1]} features and 'predictions' {predictions.shape[1]}: shapes "
            f"{weak.shape} and {predictions.shape} must be (M, D) and (N, D)"
        )
    strong = None
    if values.get("strong") is not None:
        strong_value = values["strong"]
        if "strong" in placed:
            strong_value = placed["strong"].roll(*shape, predictions.dtype)
        strong = _sequence("strong", strong_value, predictions.dtype)
        if strong.shape != predictions.shape:
            raise ItemError(
                f"'strong' has shape {strong.shape}, it must be that of 'predictions', {predictions.shape}"
            )
    return Item(
        predictions,
        weak,
        strong,
        fps=fps,
        lowest_pitch=lowest_pitch,
        cost=_cost(values.get("cost")),
        step_weights=_step_weights(values.get("step_weights")),
        strong_notes=placed.get("strong"),
        warnings=(*warnings, *_warnings_of(values, placed)),
    )


def _placed(
    key: str, notes: Notes, predictions: Floats, fps: float | None, lowest_pitch: int | None, fold: bool
) -> PlacedNotes:
    lowest_pitch = 0 if fold and lowest_pitch is None else lowest_pitch
    if fps is None or lowest_pitch is None:
        lacking = " and ".join(
            f"'{name}'" for name, known in (("fps", fps), ("lowest_pitch", lowest_pitch)) if known is None
        )
        raise ItemError(
            f"'{key}' is a list of notes, which needs {lacking}: give it in the manifest or in the file "
            "of the predictions"
        )
    n_frames, n_features = predictions.shape
    try:
        return place_notes(
            notes,
            n_frames=n_frames,
            n_features=n_features,
            fps=fps,
            lowest_pitch=lowest_pitch,
            pitch_classes=fold,
        )
    except ItemError as error:
        raise ItemError(f"'{key}': {error}") from error


def _warnings_of(values: Mapping[str, Any], placed: Mapping[str, PlacedNotes]) -> list[str]:
    """Return what is to be told of the notes of the targets, once where it is the same for both."""
    told: dict[str, list[str]] = {}
    if (weak := placed.get("weak")) is not None and weak.joined:
        text = (
            f"{weak.joined} of {len(weak.start)} notes begin while their pitch sounds or in the next frame: "
            "each makes one event with the note before; end that one a frame earlier to keep them apart"
        )
        told[text] = ["weak"]
    for key, notes in placed.items():
        for text in (*values[key].warnings, *notes.warnings):
            told.setdefault(text, []).append(key)
    return [f"{' and '.join(keys)}: {text}" for text, keys in told.items()]


def _sequence(key: str, value: Any, dtype_of_integers: np.dtype[Any]) -> Floats:
    try:
        check_unmasked(f"'{key}'", value)
    except ValueError as error:
        raise ItemError(str(error)) from None
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ItemError(f"'{key}' has dtype {array.dtype}, it must hold real numbers")
    if array.ndim != 2:
        raise ItemError(
            f"'{key}' has {array.ndim} dimensions (shape {array.shape}), it must have two, (frames, features)"
        )
    if array.size == 0:
        raise ItemError(f"'{key}' is empty: shape {array.shape}")
    if array.dtype.kind != "f":
        array = array.astype(dtype_of_integers)
    elif array.dtype.newbyteorder("=") not in (np.dtype(np.float32), np.dtype(np.float64)):
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    if finite_extremes(array) is None:
        frame, feature = np.argwhere(~np.isfinite(array))[0]
        raise ItemError(
            f"'{key}' is {array[frame, feature]} at frame {frame}, feature {feature}; values must be finite"
        )
    return array


def _scalar(key: str, value: Any) -> Any:
    array = np.asarray(value)
    if array.size != 1:
        raise ItemError(f"'{key}' must be a single value, it has shape {array.shape}")
    return array.item()


def _number(key: str, value: Any) -> float:
    scalar = _scalar(key, value)
    if isinstance(scalar, bool) or not isinstance(scalar, int | float) or not np.isfinite(scalar):
        raise ItemError(f"'{key}' is {scalar!r}, it must be a finite number")
    return float(scalar)


def _flag(key: str, value: Any) -> bool:
    if value is None:
        return False
    scalar = _scalar(key, value)
    known = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
    if str(scalar).lower() not in known:
        raise ItemError(f"'{key}' is {scalar!r}, it must be true or false")
    return known[str(scalar).lower()]


def as_fps(value: Any) -> float | None:
    """Return a positive number of frames a second, or None."""
    if value is None:
        return None
    fps = _number("fps", value)
    if fps <= 0:
        raise ItemError(f"'fps' is {fps:g}, it must be positive (frames a second)")
    return fps


def as_lowest_pitch(value: Any) -> int | None:
    """Return a MIDI note number, or None."""
    if value is None:
        return None
    pitch = _number("lowest_pitch", value)
    if pitch != int(pitch) or not 0 <= pitch <= 127:
        raise ItemError(f"'lowest_pitch' is {pitch:g}, it must be a MIDI note number, 0 to 127")
    return int(pitch)


def _cost(value: Any) -> str | None:
    if value is None:
        return None
    cost = _scalar("cost", value)
    if not isinstance(cost, str):
        raise ItemError(f"'cost' is {cost!r}, it must be the name of a cost")
    return cost or None


def _step_weights(value: Any) -> tuple[float, float, float] | None:
    if value is None:
        return None
    weights = np.asarray(value)
    if weights.shape != (3,) or weights.dtype.kind not in "iuf":
        raise ItemError(
            f"'step_weights' has shape {weights.shape} and dtype {weights.dtype}, it must be three numbers "
            "(horizontal, vertical, diagonal)"
        )
    horizontal, vertical, diagonal = (float(weight) for weight in weights)
    return horizontal, vertical, diagonal
