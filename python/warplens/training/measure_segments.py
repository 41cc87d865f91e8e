"""Excerpts of so many musical measures, as weakly aligned training cuts recordings and scores alike.

A recording and its score have their measures in common, each in its own time. Cut at the same measures, an
excerpt of the recording has its weak target in the excerpt of the score, whatever the tempo is.
"""

import numbers
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens.io.frame_times import first_frames


@dataclass(frozen=True)
class MeasureSegments:
    """S excerpts.

    Attributes:
        first: index of the first measure of each, from 0, (S,) int64.
        start: seconds, (S,).
        stop: seconds, (S,).
    """

    first: NDArray[np.int64]
    start: NDArray[np.float64]
    stop: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)

    def frames(self, fps: float, n_frames: int) -> NDArray[np.int64]:
        """Return the first frame of each excerpt and one past its last, (S,2), to slice arrays (N,D) with.

        Frame n stands for the time n / fps and belongs to the excerpt with start <= n / fps < stop. A limit
        up to half a millisecond (at most 1/20 of a frame) after the time of a frame is taken as that time,
        so that times which were rounded keep their frames.

        Args:
            fps: frames a second.
            n_frames: N, the frames that there are.

        Raises:
            ValueError: fps or n_frames is not positive, or an excerpt has no frame among those.
        """
        if not fps > 0 or n_frames < 1:
            raise ValueError(f"fps, n_frames: are {fps} and {n_frames}; both must be positive")
        bounds = first_frames(np.stack([self.start, self.stop], axis=1), fps=fps, n_frames=n_frames)
        empty = np.flatnonzero(bounds[:, 0] == bounds[:, 1])
        if len(empty):
            s = int(empty[0])
            raise ValueError(
                f"n_frames: the excerpt from measure {self.first[s]} on, {self.start[s]:.2f} to "
                f"{self.stop[s]:.2f} s, has none of {n_frames} frames at {fps:g} a second: are the measures "
                "those of this recording?"
            )
        return bounds


def measure_segments(
    times: ArrayLike, *, measures: int = 8, longest: float | None = None, keep_rest: bool = True
) -> MeasureSegments:
    """Cut a recording into excerpts of 8 measures each, one after the other.

    Args:
        times: where each measure starts, and last where the last one ends, seconds, ascending; K + 1 for K
            measures.
        measures: measures of an excerpt.
        longest: seconds; longer excerpts are left out (the paper: 20). Take it of the recording, and the
            measures `first` that remain of the score.
        keep_rest: keep the last excerpt although it has fewer measures.

    Raises:
        ValueError: fewer than two times, times that do not ascend, measures below 1.

    Source: J. Zeitler and M. Mueller, ISMIR 2025, section 5.1.
    """
    bounds = np.asarray(times, np.float64)
    if bounds.ndim != 1 or len(bounds) < 2:
        raise ValueError(
            f"times: shape {bounds.shape}, it must be (K + 1,): the start of each of K measures and the end"
        )
    wrong = np.flatnonzero(~np.isfinite(bounds) | np.append(False, ~(np.diff(bounds) > 0)))
    if len(wrong):
        k = int(wrong[0])
        raise ValueError(f"times: entry {k} is {bounds[k]}; they must be finite and ascend")
    if isinstance(measures, bool) or not isinstance(measures, numbers.Integral) or measures < 1:
        raise ValueError(f"measures: is {measures!r}; a whole number is accepted, 1 or more")
    count = len(bounds) - 1
    first = np.arange(0, count if keep_rest else count - measures + 1, measures, dtype=np.int64)
    start, stop = bounds[first], bounds[np.minimum(first + measures, count)]
    kept = np.ones(len(first), np.bool_) if longest is None else stop - start <= longest
    return MeasureSegments(first[kept], start[kept], stop[kept])
