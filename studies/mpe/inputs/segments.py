"""Segments of recordings, and batches of them: random clips, or fixed segments with weak targets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import warplens as wl
from studies.mpe.configuration import Finetuning, TargetErrors
from studies.mpe.errors import StudyError
from studies.mpe.inputs.features import LEAST_MAGNITUDE, Features
from studies.mpe.inputs.frames import FPS
from studies.mpe.inputs.target_errors import mismatched_bounds, random_numbers, with_wrong_notes
from warplens.io.frame_times import first_frames
from warplens.training import measure_segments

_CLIPS, _SEGMENTS = 1, 2
"""Streams of random numbers of a seed."""


@dataclass(frozen=True)
class Segment:
    """Frames first to stop of a recording.

    Attributes:
        features: features of the recording.
        first: first frame.
        stop: one past the last frame.
        notes: the notes that the weak target is made of, (K,88), where they are not those of the segment.
    """

    features: Features
    first: int
    stop: int
    notes: NDArray[np.uint8] | None = None

    @property
    def mel(self) -> NDArray[np.float32]:
        """Log-mel magnitudes, (N,229)."""
        return np.array(self.features.mel[self.first : self.stop])

    @property
    def strong(self) -> NDArray[np.float32]:
        """Strong target, (N,88)."""
        return np.asarray(self.features.roll[self.first : self.stop], np.float32)

    def weak(self) -> wl.WeakTargets:
        """Return the weak target (M,88): its notes without repetitions, and the duration of each frame."""
        notes = self.strong if self.notes is None else np.asarray(self.notes, np.float32)
        return wl.collapse_repeats(notes)


@dataclass(frozen=True)
class Batch:
    """B segments, padded.

    Attributes:
        mel: (B,N,229); behind the end of a segment there is silence.
        lengths: (B,) int64, its frames.
        strong: (B,N,88).
        weak: (B,M,88).
        weak_lengths: (B,) int64.
        indices: (B,) which segments they are.
    """

    mel: Tensor
    lengths: Tensor
    strong: Tensor
    weak: Tensor
    weak_lengths: Tensor
    indices: NDArray[np.int64]


def segments_of(recordings: Sequence[Features], settings: Finetuning) -> list[Segment]:
    """Cut recordings into segments of some measures where they are known, else of some seconds.

    Left out are segments that are longer than `longest_seconds`, hold no note, or are shorter than half a
    second.

    Raises:
        StudyError: none is left.
    """
    segments = []
    for features in recordings:
        for first, stop in zip(*_bounds(features, settings), strict=True):
            longest = settings.longest_seconds * FPS
            if FPS / 2 <= stop - first <= longest and features.roll[first:stop].any():
                segments.append(Segment(features, int(first), int(stop)))
    if not segments:
        raise StudyError(
            f"No segment of {len(recordings)} recordings is shorter than {settings.longest_seconds:g} s and "
            "has "
            "notes; raise `longest_seconds` or lower `segment_measures`."
        )
    return segments


def with_errors(
    segments: Sequence[Segment], errors: TargetErrors, settings: Finetuning, *, seed: int
) -> list[Segment]:
    """Return segments whose weak targets have errors; those of a seed are the same for every loss.

    Left out are segments whose weak target then has no note, or more frames than the segment: there is no
    path that gives each target frame a frame of its own, which some losses need.

    Raises:
        StudyError: none is left.
    """
    if errors.are_none:
        return list(segments)
    results = []
    for segment in segments:
        features, rng = segment.features, random_numbers(seed, segment.features.id, segment.first)
        first, stop = mismatched_bounds(
            (segment.first, segment.stop),
            errors.measures,
            _measure_starts(features, settings),
            len(features),
            rng,
        )
        notes = with_wrong_notes(np.array(features.roll[first:stop]), errors, rng)
        changed = replace(segment, notes=notes)
        if notes.any() and len(changed.weak().y) <= segment.stop - segment.first:
            results.append(changed)
    if not results:
        raise StudyError(
            f"No segment has a weak target left with the errors {errors.name!r}; lower its shares."
        )
    return results


def _measure_starts(features: Features, settings: Finetuning) -> NDArray[np.int64] | int:
    if features.measures is not None:
        # As segments are cut at measures.
        return first_frames(features.measures, fps=FPS, n_frames=len(features))
    return round(settings.measure_seconds * FPS)


def _bounds(features: Features, settings: Finetuning) -> tuple[NDArray[np.int64], ...]:
    if settings.segment_measures and features.measures is not None:
        cut = measure_segments(
            features.measures, measures=settings.segment_measures, longest=settings.longest_seconds
        )
        try:
            return tuple(cut.frames(FPS, len(features)).T)
        except ValueError as error:
            raise StudyError(f"Measures of {features.id}: {error}.") from None
    bounds = np.arange(0, len(features) + 1, round(settings.segment_seconds * FPS))
    return bounds[:-1], bounds[1:]


def random_clips(
    recordings: Sequence[Features], *, seconds: float, batch: int, seed: int, step: int
) -> list[Segment]:
    """Choose clips at random places: those of a step depend on seed and step alone.

    Raises:
        StudyError: no recording is that long.
    """
    length = round(seconds * FPS)
    places = np.array([max(0, len(each) - length + 1) for each in recordings])
    if not places.sum():
        raise StudyError(f"No recording is {seconds:g} s long; lower `clip_seconds`.")
    ends = np.cumsum(places)
    chosen = np.random.default_rng([seed, _CLIPS, step]).integers(ends[-1], size=batch)
    which = np.searchsorted(ends, chosen, side="right")
    firsts = chosen - (ends - places)[which]
    return [Segment(recordings[r], int(n), int(n) + length) for r, n in zip(which, firsts, strict=True)]


def indices_of_step(count: int, *, batch: int, seed: int, step: int) -> NDArray[np.int64]:
    """Choose the segments of a step among `count`: each once a pass, in an order of seed and pass alone."""
    first = step * batch
    at = np.arange(first, first + batch)
    orders = {
        e: np.random.default_rng([seed, _SEGMENTS, int(e)]).permutation(count) for e in np.unique(at // count)
    }
    return np.array([orders[e][k] for e, k in zip(at // count, at % count, strict=True)], np.int64)


def batch_of(
    segments: Sequence[Segment], indices: NDArray[np.int64] | None = None, *, weak: bool = True
) -> Batch:
    """Collate segments into one batch; without `weak`, its weak targets are placeholders."""
    targets = (
        [segment.weak().y for segment in segments] if weak else [np.zeros((1, 1), np.float32)] * len(segments)
    )
    lengths = [segment.stop - segment.first for segment in segments]
    return Batch(
        mel=_padded([segment.mel for segment in segments], float(np.log(LEAST_MAGNITUDE))),
        lengths=torch.tensor(lengths),
        strong=_padded([segment.strong for segment in segments], 0.0),
        weak=_padded(targets, 0.0),
        weak_lengths=torch.tensor([len(target) for target in targets]),
        indices=np.arange(len(segments)) if indices is None else indices,
    )


def _padded(arrays: Sequence[NDArray[np.float32]], value: float) -> Tensor:
    longest = max(map(len, arrays))
    padded = np.full((len(arrays), longest, arrays[0].shape[1]), value, np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded)
