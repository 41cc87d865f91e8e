"""Lists of notes in seconds, and the frames in which they sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warplens.io.errors import ItemError
from warplens.io.frame_times import TOLERANCE_SECONDS, first_frames

_PITCH_CLASSES = 12

_SLACK_SECONDS = 1.0
"""Time after the last frame in which notes may begin: predictions may end a little before the recording."""


@dataclass(frozen=True)
class Notes:
    """Notes of one recording, in its time.

    Attributes:
        start: (K,) seconds.
        end: (K,) seconds, no earlier than start.
        pitch: (K,) MIDI note numbers.
        warnings: what of its file was passed over or left out, a sentence each.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    pitch: NDArray[np.int64]
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.start) == 0:
            raise ItemError("it holds no notes")
        for name, wrong, accepted in (
            ("start", ~(np.isfinite(self.start) & (self.start >= 0)), "seconds, 0 or more"),
            ("end", ~(np.isfinite(self.end) & (self.end >= self.start)), "seconds, no earlier than 'start'"),
            ("pitch", (self.pitch < 0) | (self.pitch > 127), "a MIDI note number, 0 to 127"),
        ):
            if wrong.any():
                k = int(np.flatnonzero(wrong)[0])
                raise ItemError(
                    f"'{name}' of note {k + 1} is {getattr(self, name)[k]:g}, it must be {accepted}"
                )


@dataclass(frozen=True)
class PlacedNotes:
    """Those K of the notes of a list that have a feature and a frame.

    Attributes:
        start: (K,) seconds, as the list has them.
        end: (K,) seconds.
        feature: (K,) index of the feature of each.
        first: (K,) first frame in which each sounds.
        stop: (K,) one past the last.
        warnings: how many notes were left out and why, a sentence each.
        joined: how many of them begin while a note of their pitch sounds, or in the frame after it: in a
            roll they are one with it.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    feature: NDArray[np.int64]
    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    warnings: tuple[str, ...]
    joined: int = 0

    def roll(
        self, n_frames: int, n_features: int, dtype: np.dtype[np.float32] | np.dtype[np.float64]
    ) -> NDArray[np.float32] | NDArray[np.float64]:
        """Return the frames in which the notes sound, (N, D): 1 where one does, 0 elsewhere.

        Args:
            n_frames: N.
            n_features: D.
            dtype: float32 or float64, of the result.
        """
        roll = np.zeros((n_frames, n_features), dtype)
        for d, first, stop in zip(self.feature, self.first, self.stop, strict=True):
            roll[first:stop, d] = 1
        return roll


def roll_of(
    notes: Notes,
    *,
    n_frames: int,
    n_features: int,
    fps: float,
    lowest_pitch: int,
    dtype: np.dtype[np.float32] | np.dtype[np.float64],
    pitch_classes: bool = False,
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return the frames in which notes sound, (N, D): 1 where one does, 0 elsewhere.

    Arguments, rule and errors as `place_notes`; which notes are left out is told by an item that is made of
    such notes (`Item.warnings`).

    Args:
        notes: in the time of the recording that the frames are of.
        n_frames: N.
        n_features: D.
        fps: frames a second.
        lowest_pitch: MIDI number of feature 0.
        dtype: of the result.
        pitch_classes: fold all octaves into one; D is 12.
    """
    placed = place_notes(
        notes,
        n_frames=n_frames,
        n_features=n_features,
        fps=fps,
        lowest_pitch=lowest_pitch,
        pitch_classes=pitch_classes,
    )
    return placed.roll(n_frames, n_features, dtype)


def place_notes(
    notes: Notes,
    *,
    n_frames: int,
    n_features: int,
    fps: float,
    lowest_pitch: int,
    pitch_classes: bool = False,
) -> PlacedNotes:
    """Find the feature of each note and the frames in which it sounds.

    Frame n stands for the time n / fps, as the frames of a centred Fourier transform do, and a note sounds
    in it when start <= n / fps < end. A limit up to half a millisecond (at most 1/20 of a frame) after the
    time of a frame is taken as that time: lists round, and notes written from frames sound in those frames
    again. A note that lies between two frames sounds in the one nearest to its middle, so that no note is
    lost. Left out, and counted in a warning, are notes whose pitch has no feature and notes that begin
    after the last frame, less than a second.

    Args:
        notes: in the time of the recording that the frames are of.
        n_frames: N.
        n_features: D, one for each semitone from lowest_pitch on.
        fps: frames a second.
        lowest_pitch: MIDI number of feature 0.
        pitch_classes: fold all octaves into one: D is 12, and the feature of a note is its distance to
            lowest_pitch, modulo 12.

    Raises:
        ItemError: a note begins later, or no note is among the pitches: the list is of another recording,
            or fps or lowest_pitch is wrong; D is not 12 although pitch classes are asked for.
    """
    seconds = n_frames / fps
    count = len(notes.pitch)
    late = notes.start >= seconds + _SLACK_SECONDS
    if late.any():
        raise ItemError(
            f"{np.count_nonzero(late)} of {count} notes begin after the last of {n_frames} frames "
            f"({seconds:.2f} s at {fps:g} frames a second), the last of them at {notes.start.max():.2f} s: "
            "is it the list of this recording, and is fps right?"
        )
    feature = notes.pitch - lowest_pitch
    if pitch_classes:
        if n_features != _PITCH_CLASSES:
            raise ItemError(f"pitch classes are {_PITCH_CLASSES} features, the predictions have {n_features}")
        feature %= _PITCH_CLASSES
    has_feature = (feature >= 0) & (feature < n_features)
    hint = "is lowest_pitch right"
    if n_features == _PITCH_CLASSES:
        hint += ", or are pitch classes meant (--pitch-classes)"
    if not has_feature.any():
        raise ItemError(
            f"no note is among the {n_features} semitones from {lowest_pitch} on (pitches: "
            f"{notes.pitch.min()} to {notes.pitch.max()}): {hint}?"
        )
    first = first_frames(notes.start, fps=fps, n_frames=n_frames)
    stop = first_frames(notes.end, fps=fps, n_frames=n_frames)
    in_time = (first < n_frames) | (notes.start < seconds - TOLERANCE_SECONDS)
    kept = has_feature & in_time
    if not kept.any():
        raise ItemError(
            f"no note among the {n_features} semitones from {lowest_pitch} on begins before the last of "
            f"{n_frames} frames ({seconds:.2f} s at {fps:g} frames a second): is fps right?"
        )
    nearest = np.clip(np.rint((notes.start + notes.end) / 2 * fps).astype(np.int64), 0, n_frames - 1)
    between = first >= stop
    first, stop = np.where(between, nearest, first), np.where(between, nearest + 1, stop)
    warnings = []
    if not has_feature.all():
        warnings.append(
            f"{np.count_nonzero(~has_feature)} of {count} notes lie outside {lowest_pitch}.."
            f"{lowest_pitch + n_features - 1} and are left out: {hint}?"
        )
    if not in_time.all():
        warnings.append(
            f"{np.count_nonzero(~in_time)} of {count} notes begin after the last of {n_frames} frames "
            f"({seconds:.2f} s) and are left out"
        )
    first, stop = first[kept], stop[kept]
    joined = _joined(notes.pitch[kept], first, stop)
    return PlacedNotes(
        notes.start[kept], notes.end[kept], feature[kept], first, stop, tuple(warnings), joined
    )


def _joined(pitch: NDArray[np.int64], first: NDArray[np.int64], stop: NDArray[np.int64]) -> int:
    """Count the notes that leave no frame between them and an earlier onset of their pitch."""
    order = np.lexsort((first, pitch))
    # One pitch after the other on a single axis, apart by more than any note lasts.
    base = pitch[order] * (int(stop.max()) + 2)
    begins, until = base + first[order], np.maximum.accumulate(base + stop[order])
    return int(np.count_nonzero((begins[1:] <= until[:-1]) & (begins[1:] > begins[:-1])))
