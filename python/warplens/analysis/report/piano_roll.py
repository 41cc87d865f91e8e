"""Piano rolls as small palette images: a pixel a frame and feature, low pitch at the bottom.

A page scales the image and draws the axes, so no text is in it.
"""

import base64
import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from warplens.analysis.level_colors import LevelScale

Image.preinit()  # with this module, not with the first image in every process that is copied from this one

_RUN_LENGTHS = 3
"""zlib's Z_RLE: rolls are mostly flat, which makes it the faster and mostly the smaller way to pack them."""

MAX_COLUMNS = 4000
"""Longer rolls show in each column the maximum over several frames."""


def frames_per_column(n_frames: int) -> int:
    """Return how many frames share a column of the image."""
    return -(-n_frames // MAX_COLUMNS)


def piano_roll_png(roll: NDArray[Any], scale: LevelScale) -> bytes:
    """Draw a roll (N, D) as a PNG of D rows, feature 0 lowest, and N columns (fewer for very long rolls)."""
    step = frames_per_column(len(roll))
    if step > 1:
        roll = np.maximum.reduceat(roll, np.arange(0, len(roll), step), axis=0)
    return _palette_png(scale.index(roll).T[::-1], scale)


@lru_cache(16)
def color_bar_png(scale: LevelScale) -> bytes:
    """Draw the palette from lowest to highest level, 256 by 1 pixels."""
    return _palette_png(np.arange(256, dtype=np.uint8)[None], scale)


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Write content of a MIME type as an address that is part of the page."""
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")


def _palette_png(entries: NDArray[np.uint8], scale: LevelScale) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(entries))
    image.putpalette(_palette(scale))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_type=_RUN_LENGTHS)
    return buffer.getvalue()


@lru_cache(16)
def _palette(scale: LevelScale) -> bytes:
    return scale.palette().tobytes()
