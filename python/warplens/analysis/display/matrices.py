"""Matrices of an alignment: costs, accumulated costs and the soft alignment, with a path over them.

Time runs to the right, target frames upwards, so a path climbs from the lower left to the upper right.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from warplens.analysis.accumulated_costs import accumulated_costs
from warplens.analysis.display.axes import axes_or_new, frame_extent, label_frames, pooled, pooled_extent
from warplens.analysis.display.colors import ALIGNMENT_COLORS, COST_COLORS, PATH_COLOR


def cost_matrix(
    C: NDArray[Any],
    ax: Axes | None = None,
    fps: float | None = None,
    *,
    path: NDArray[np.int64] | None = None,
    limits: tuple[float | None, float | None] = (None, None),
) -> Axes:
    """Draw local costs, low ones dark.

    Args:
        C: costs c(x_n, y_m), (N, M), of any real dtype.
        ax: axes to draw in; None makes a figure of its own (`ax.figure`).
        fps: prediction frames a second; None counts frames.
        path: a warping path to draw over it, (L, 2), frames and targets from 0.
        limits: costs drawn darkest and lightest; None is the least or the greatest of C.

    Returns:
        The axes; the picture is `ax.images[0]`.

    Raises:
        ValueError: the matrix is not two-dimensional or empty.
    """
    ax = _matrix(C, ax, fps, COST_COLORS, np.minimum, limits)
    return _path(ax, path, fps, "white")


def accumulated_cost(
    C: NDArray[Any],
    ax: Axes | None = None,
    fps: float | None = None,
    *,
    gamma: float,
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    path: NDArray[np.int64] | None = None,
) -> Axes:
    """Draw soft accumulated costs D(n,m), the soft DTW of the first n frames and m targets, low ones dark.

    The highest twentieth has one colour: the borders, where few paths lead, can dwarf all else.

    Args:
        C: local costs c(x_n, y_m), (N, M), of any real dtype.
        ax: axes to draw in; None makes a figure of its own (`ax.figure`).
        fps: prediction frames a second; None counts frames.
        gamma: softness, in the unit of the cost, 0 or more.
        step_weights: (horizontal, vertical, diagonal).
        path: a warping path to draw over it, (L, 2), frames and targets from 0.

    Returns:
        The axes; the picture is `ax.images[0]`.

    Raises:
        ValueError: C is not two-dimensional, empty or not finite; gamma is negative.
    """
    D = accumulated_costs(C, gamma=gamma, step_weights=step_weights)
    ax = _matrix(D, ax, fps, COST_COLORS, np.minimum, (None, float(np.quantile(D, 0.95))))
    return _path(ax, path, fps, "white")


def alignment(
    H: NDArray[Any],
    ax: Axes | None = None,
    fps: float | None = None,
    *,
    path: NDArray[np.int64] | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Axes:
    """Draw a soft alignment, dark where it is strong.

    Args:
        H: (N, M), the soft alignment H or, with rows that sum to 1, H~.
        ax: axes to draw in; None makes a figure of its own (`ax.figure`).
        fps: prediction frames a second; None counts frames.
        path: a warping path to draw over it, (L, 2), as `Alignment.path().indices`.
        limits: values drawn white and black.

    Returns:
        The axes; the picture is `ax.images[0]`.

    Raises:
        ValueError: the matrix is not two-dimensional or empty.
    """
    ax = _matrix(H, ax, fps, ALIGNMENT_COLORS, np.maximum, limits)
    return _path(ax, path, fps, PATH_COLOR)


def _matrix(
    matrix: NDArray[Any],
    ax: Axes | None,
    fps: float | None,
    colors: str,
    reduce: np.ufunc,
    limits: tuple[float | None, float | None] = (None, None),
) -> Axes:
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"matrix: shape {matrix.shape}, it must be (N, M) and not empty")
    ax = axes_or_new(ax, figsize=(6, 4))
    n_frames, n_targets = matrix.shape
    frames, targets = frame_extent(n_frames, fps), frame_extent(n_targets, None)
    shown, frames_together = pooled(matrix, ax.bbox.width, reduce)
    shown, targets_together = pooled(shown.T, ax.bbox.height, reduce)
    ax.imshow(
        shown,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(
            *pooled_extent(frames, n_frames, shown.shape[1], frames_together),
            *pooled_extent(targets, n_targets, shown.shape[0], targets_together),
        ),
        cmap=colors,
        vmin=limits[0],
        vmax=limits[1],
    )
    ax.set_xlim(frames)
    ax.set_ylim(targets)
    label_frames(ax, fps)
    label_frames(ax, None, axis="y", frames="target frame m")
    return ax


def _path(ax: Axes, path: NDArray[np.int64] | None, fps: float | None, color: str) -> Axes:
    if path is not None:
        n = (path[:, 0] + 0.5) / fps if fps else path[:, 0]
        ax.plot(n, path[:, 1], color=color, lw=0.9, label="hard path")
    return ax
