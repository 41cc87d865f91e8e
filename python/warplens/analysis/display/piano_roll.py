"""Piano rolls: levels over time and pitch, with events marked in them."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from warplens.analysis.display.axes import (
    axes_or_new,
    frame_edge,
    frame_extent,
    label_features,
    label_frames,
    pooled,
    pooled_extent,
)
from warplens.analysis.display.colors import LevelNorm, level_colormap
from warplens.analysis.events import THRESHOLD
from warplens.analysis.level_colors import LevelScale


def piano_roll(
    levels: NDArray[Any],
    ax: Axes | None = None,
    fps: float | None = None,
    lowest_pitch: int | None = None,
    *,
    threshold: float = THRESHOLD,
    scale: LevelScale | None = None,
    features: tuple[int, int] | None = None,
    frames: str = "prediction frame n",
) -> Axes:
    """Draw levels as a picture, time to the right, low pitches at the bottom.

    Levels under the threshold run from white to orange, others from blue to navy. Where there are more frames
    than pixels, each column shows the maximum of several, so no short event is dropped.

    Args:
        levels: (N, D), such as targets, Y_mod or predictions.
        ax: axes to draw in; None makes a figure of its own (`ax.figure`).
        fps: frames a second; None counts frames.
        lowest_pitch: MIDI number of feature 0; None counts features.
        threshold: level at which the colours break.
        scale: colours of rolls that are compared; None is [0, 1], wider where the levels leave it.
        features: first and last feature to show; None shows all.
        frames: label of the horizontal axis where fps is None.

    Returns:
        The axes; the picture is `ax.images[0]`.

    Raises:
        ValueError: levels are not (N, D) or empty.
    """
    if levels.ndim != 2 or levels.size == 0:
        raise ValueError(f"levels: shape {levels.shape}, it must be (N, D) and not empty")
    ax = axes_or_new(ax)
    scale = scale or LevelScale.of(levels, threshold=threshold)
    low, high = features or (0, levels.shape[1] - 1)
    extent = frame_extent(len(levels), fps)
    shown, together = pooled(levels[:, low : high + 1], ax.bbox.width)
    ax.imshow(
        shown.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(*pooled_extent(extent, len(levels), len(shown), together), low - 0.5, high + 0.5),
        cmap=level_colormap(scale),
        norm=LevelNorm(scale),
    )
    ax.set_xlim(extent)
    label_frames(ax, fps, frames=frames)
    label_features(ax, low, high, lowest_pitch)
    return ax


def mark_event(
    ax: Axes,
    feature: int,
    first: int,
    last: int,
    fps: float | None = None,
    *,
    label: str = "",
    linestyle: str = "-",
) -> Axes:
    """Draw a box round frames first to last of one feature in a piano roll, with a label above it.

    Args:
        ax: axes of a roll, as `piano_roll` returns them.
        feature: the feature, from 0.
        first: first frame, from 0.
        last: last frame, which the box includes.
        fps: frames a second, as the roll was drawn with; None where it counts frames.
        label: text above the box, below it at the upper edge.
        linestyle: line of the box, as matplotlib names it.

    Returns:
        The axes.
    """
    start, stop = frame_edge(first, fps), frame_edge(last + 1, fps)
    box = Rectangle(
        (start, feature - 0.5), stop - start, 1, fill=False, color="black", lw=1.2, linestyle=linestyle
    )
    ax.add_patch(box)
    if label:
        _, top = ax.get_ylim()
        below = feature + 1 > top - 1
        ax.annotate(
            label,
            ((start + stop) / 2, feature - 0.5 if below else feature + 0.5),
            xytext=(0, -3 if below else 3),
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            fontsize="small",
        )
    return ax
