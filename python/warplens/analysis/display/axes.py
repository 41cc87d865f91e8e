"""Axes of pictures: seconds where the frame rate is known, note names, no global state."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from warplens.analysis.ticks import note_name

Extent = tuple[float, float]

_LABEL_SIZE = 10.0  # matplotlib's default, in points
_LINE_HEIGHT = 1.25


def axes_or_new(ax: Axes | None, *, figsize: tuple[float, float] = (8, 2.5)) -> Axes:
    """Return the axes given, or those of a new figure outside all global state (`ax.figure` saves it)."""
    return Figure(figsize=figsize, dpi=150, layout="constrained").subplots() if ax is None else ax


def frame_extent(n_frames: int, fps: float | None) -> Extent:
    """Return where pictures of frames 0 to n - 1 begin and end along an axis.

    In seconds frame n lies between n / fps and (n + 1) / fps; without a frame rate it is centred on n.
    """
    return (0.0, n_frames / fps) if fps else (-0.5, n_frames - 0.5)


def frame_edge(frame: float, fps: float | None) -> float:
    """Return where the picture of a frame begins along such an axis."""
    return frame / fps if fps else frame - 0.5


def label_frames(
    ax: Axes, fps: float | None, *, axis: Literal["x", "y"] = "x", frames: str = "prediction frame n"
) -> None:
    """Label an axis of frames and keep its ticks round, apart and, for frames, whole."""
    along = ax.xaxis if axis == "x" else ax.yaxis
    along.set_label_text("time (s)" if fps else frames)
    bins = 8 if axis == "x" else 6
    along.set_major_locator(MaxNLocator(bins, integer=not fps, steps=[1, 2, 5, 10]))


def label_features(ax: Axes, low: int, high: int, lowest_pitch: int | None) -> None:
    """Label a vertical axis of features low to high: note names where pitches are known, else numbers.

    As many notes are named as have room: all, the steps C, E and G, the Cs, or every second C and so on.
    """
    if lowest_pitch is None:
        ax.set_ylabel("feature d")
        ax.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        return
    ax.set_ylabel("pitch")
    pitches = range(lowest_pitch + low, lowest_pitch + high + 1)
    rows = _LINE_HEIGHT * _LABEL_SIZE / (_points_high(ax) / len(pitches))  # that a label takes
    steps = range(12) if rows <= 1 else (0, 4, 7) if rows <= 3 else (0,)
    octaves = int(np.ceil(rows / 12))
    named = [pitch for pitch in pitches if pitch % 12 in steps and (pitch // 12) % octaves == 0]
    named = named or [pitches[0]]
    ax.set_yticks([pitch - lowest_pitch for pitch in named], [note_name(pitch) for pitch in named])


def pooled(array: NDArray[Any], pixels: float, reduce: np.ufunc = np.maximum) -> tuple[NDArray[Any], int]:
    """Merge rows of an array so that each has a pixel of its own; return them and how many are merged.

    A picture drawn smaller would drop rows, and with them short events; levels take the maximum.
    """
    # Labels will take a part of the axes.
    together = max(1, int(np.ceil(len(array) / (0.8 * pixels))))
    if together == 1:
        return array, 1
    return reduce.reduceat(array, np.arange(0, len(array), together), axis=0), together


def pooled_extent(extent: Extent, n_frames: int, n_rows: int, together: int) -> Extent:
    """Return where pooled frames begin and end: the last row may stand for fewer frames than the others."""
    start, stop = extent
    return start, start + (stop - start) * n_rows * together / n_frames


def _points_high(ax: Axes) -> float:
    # Labels above and below will take a part of the height.
    return 0.8 * ax.bbox.height / ax.figure.dpi * 72
