"""Lists of notes in seconds, and the frames in which they sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warplens.io.errors import ItemError

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


def roll_of(
    notes: Notes,
    *,
    n_frames: int,
    n_features: int,
    fps: float,
    lowest_pitch: int,
    dtype: np.dtype[np.float32] | np.dtype[np.float64],
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return the frames in which notes sound, (N, D): 1 where one does, 0 elsewhere.

    Frame n stands for the time n / fps, as the frames of a centred Fourier transform do, and a note sounds
    in it when start <= n / fps < end. A note that lies between two frames sounds in the one nearest to its
    middle, so that no note is lost. Left out are notes whose pitch has no feature and notes that begin
    after the last frame, less than a second.

    Args:
        notes: in the time of the recording that the frames are of.
        n_frames: N.
        n_features: D, one for each semitone from lowest_pitch on.
        fps: frames a second.
        lowest_pitch: MIDI number of feature 0.
        dtype: of the result.

    Raises:
        ItemError: a note begins later, or no note is among the pitches: the list is of another recording,
            or fps or lowest_pitch is wrong.
    """
    times = np.arange(n_frames) / fps
    seconds = n_frames / fps
    late = notes.start >= seconds + _SLACK_SECONDS
    if late.any():
        raise ItemError(
            f"{np.count_nonzero(late)} of {len(late)} notes begin after the last of {n_frames} frames "
            f"({seconds:.2f} s at {fps:g} frames a second), the last of them at {notes.start.max():.2f} s: "
            "is it the list of this recording, and is fps right?"
        )
    feature = notes.pitch - lowest_pitch
    among = (feature >= 0) & (feature < n_features) & (notes.start < seconds)
    if not among.any():
        raise ItemError(
            f"no note is among the {n_features} semitones from {lowest_pitch} on (pitches: "
            f"{notes.pitch.min()} to {notes.pitch.max()}): is lowest_pitch right?"
        )
    first = np.searchsorted(times, notes.start, side="left")
    stop = np.searchsorted(times, notes.end, side="left")
    nearest = np.clip(np.rint((notes.start + notes.end) / 2 * fps).astype(np.int64), 0, n_frames - 1)
    between = first >= stop
    first, stop = np.where(between, nearest, first), np.where(between, nearest + 1, stop)
    roll = np.zeros((n_frames, n_features), dtype)
    for d, a, b in zip(feature[among], first[among], stop[among], strict=True):
        roll[a:b, d] = 1
    return roll
