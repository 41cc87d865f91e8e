"""Piano rolls as small palette images: a pixel a frame and feature, low pitch at the bottom.

A page scales the image and draws the axes, so no text is in it.
"""

import base64
import struct
import zlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.level_scale import LevelScale

MAX_COLUMNS = 4000
"""Longer rolls show in each column the maximum over several frames."""

_PALETTE_COLOURS = 3
"""The PNG colour type whose pixels are entries of a palette."""


def frames_per_column(n_frames: int) -> int:
    """How many frames share a column of the image."""
    return -(-n_frames // MAX_COLUMNS)


def piano_roll_png(roll: NDArray[Any], scale: LevelScale) -> bytes:
    """A roll (N, D) as a PNG of D rows, feature 0 lowest, and N columns (fewer for very long rolls)."""
    step = frames_per_column(len(roll))
    if step > 1:
        roll = np.maximum.reduceat(roll, np.arange(0, len(roll), step), axis=0)
    return _palette_png(scale.index(roll).T[::-1], scale)


@lru_cache(16)
def color_bar_png(scale: LevelScale) -> bytes:
    """The palette from lowest to highest level, 256 by 1 pixels."""
    return _palette_png(np.arange(256, dtype=np.uint8)[None], scale)


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """An image, or what else the kind says, as an address that is part of the page."""
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")


def _palette_png(entries: NDArray[np.uint8], scale: LevelScale) -> bytes:
    """As the PNG specification has it, 8 bits a pixel; importing an image library takes longer."""
    height, width = entries.shape
    lines = np.zeros((height, width + 1), np.uint8)  # the first byte of a line is its filter, 0 for none
    lines[:, 1:] = entries
    # Rolls are mostly flat: runs alone are the faster and mostly the smaller way to pack them.
    packer = zlib.compressobj(strategy=zlib.Z_RLE)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _PALETTE_COLOURS, 0, 0, 0)),
            _chunk(b"PLTE", _palette(scale)),
            _chunk(b"IDAT", packer.compress(lines.data) + packer.flush()),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@lru_cache(16)
def _palette(scale: LevelScale) -> bytes:
    return scale.palette().tobytes()
