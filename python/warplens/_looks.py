"""Ways to look at an alignment: a table of its events, a figure, and its entry in a notebook.

The first two stand on `warplens.analysis`, which stands on this interface and is imported when asked for.
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ._alignment import Alignment

EVENT = np.dtype(
    [
        ("feature", np.int64),
        ("start", np.int64),
        ("stop", np.int64),
        ("peak", np.float64),
        ("peak_frame", np.int64),
        ("duration", np.float64),
        ("lost", np.bool_),
    ]
)
"""The record of an event."""

_WIDEST, _HIGHEST = 360, 160
"""Pixels of a picture in a notebook."""


def events_of(alignment: Alignment, y: NDArray[Any], threshold: float) -> NDArray[Any]:
    """Return a record for each event of the weak target y (M,D)."""
    analysis = import_module("warplens.analysis")
    import_module("warplens.analysis.events").check_threshold(threshold)
    events = analysis.find_events(y)
    levels = analysis.summarize_levels(alignment.H_tilde, y, events, threshold=threshold)
    records = np.empty(len(events), EVENT)
    for name in ("feature", "start", "stop"):
        records[name] = getattr(events, name)
    for name in ("peak", "peak_frame", "duration"):
        records[name] = getattr(levels, name)
    records["lost"] = records["peak"] < threshold
    return records


def figure_of(alignment: Alignment, *, fps: float | None, lowest_pitch: int | None) -> Figure:
    """Draw the soft alignment and, where they exist, weak and modified targets."""
    display = import_module("warplens.analysis.display")
    figure_class = import_module("matplotlib.figure").Figure
    targets = alignment._weak_and_modified()
    figure = figure_class(figsize=(10 if targets else 5, 3.4), dpi=120, layout="constrained")
    panels = figure.subplots(1, 3 if targets else 1, squeeze=False)[0]
    display.alignment(alignment.H_tilde, panels[0], fps)
    panels[0].set_title(f"soft alignment $\\tilde{{H}}$, $\\gamma$ = {alignment.gamma:g}", loc="left")
    if targets:
        weak, modified = targets
        scale = import_module("warplens.analysis.level_colors").LevelScale.of(weak, modified, threshold=0.5)
        display.piano_roll(
            weak, panels[1], lowest_pitch=lowest_pitch, scale=scale, frames="target frame m"
        ).set_title("weak target Y", loc="left")
        display.piano_roll(modified, panels[2], fps, lowest_pitch, scale=scale).set_title(
            "modified targets $Y_{mod}$", loc="left"
        )
        display.level_bar(panels[2], scale)
    drawn: Figure = figure
    return drawn


def html_of(alignment: Alignment) -> str:
    """Return the words of the repr and pictures of H~ and Y_mod, time to the right, as HTML."""
    pictures = [("soft alignment H~", alignment.H_tilde)]
    if targets := alignment._weak_and_modified():
        pictures.append(("modified targets Y_mod", targets[1]))
    cells = "".join(
        f'<figure style="display:inline-block;margin:4px 12px 4px 0">'
        f'<img alt="{name}" src="data:image/png;base64,{base64.b64encode(_picture(matrix)).decode()}" '
        f'style="width:{_WIDEST}px;height:{_HIGHEST}px;image-rendering:pixelated;border:1px solid #888">'
        f"<figcaption>{name} {matrix.shape}</figcaption></figure>"
        for name, matrix in pictures
    )
    return f"<div><code>{html.escape(repr(alignment))}</code><br>{cells}</div>"


def _picture(matrix: NDArray[Any]) -> bytes:
    """Return a matrix (N,K) as a grey PNG: time to the right, feature 0 at the bottom, 1 and above black."""
    shades = _pooled(_pooled(np.clip(matrix, 0, 1).T, _HIGHEST, 0), _WIDEST, 1)[::-1]
    pixels = np.round(255 * (1 - shades)).astype(np.uint8)
    rows = np.zeros((pixels.shape[0], pixels.shape[1] + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _pooled(matrix: NDArray[Any], most: int, axis: int) -> NDArray[Any]:
    """Return the maxima of neighbours, so that no more than so many are left along an axis."""
    length = matrix.shape[axis]
    if length <= most:
        return matrix
    starts = np.arange(most) * length // most
    pooled: NDArray[Any] = np.maximum.reduceat(matrix, starts, axis=axis)
    return pooled
