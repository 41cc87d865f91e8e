"""Piano rolls as small palette images: a pixel a frame and feature, low pitch at the bottom.

The palette breaks at the threshold: levels under it run from paper to orange, levels above it from blue to
navy. What a network will be taught to lose is orange all over. A page scales the image and draws the axes, so
no text is in it.
"""

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_COLUMNS = 4000
"""Longer rolls show in each column the maximum over several frames."""

_PAPER = (255, 255, 255)
_ORANGE = (236, 116, 20)
_BLUE = (110, 160, 215)
_NAVY = (8, 34, 84)


@dataclass(frozen=True)
class LevelScale:
    """Which levels are drawn from the first colour to the last, and at which of them the colours break."""

    low: float
    high: float
    threshold: float

    @classmethod
    def of(cls, *rolls: NDArray[Any] | None, threshold: float) -> "LevelScale":
        """The scale for rolls that are shown together: [0, 1], wider where they leave it."""
        shown = [roll for roll in rolls if roll is not None]
        low = min(float(roll.min()) for roll in shown)
        high = max(float(roll.max()) for roll in shown)
        # A modified target may leave [0, 1] by a rounding error.
        return cls(low if low < -1e-6 else 0.0, high if high > 1 + 1e-6 else 1.0, threshold)

    def index(self, levels: NDArray[Any]) -> NDArray[np.uint8]:
        """Palette entries 0 to 255 of levels; under the break are those under the threshold, no others."""
        position = np.clip((levels - self.low) / (self.high - self.low), 0, 1)
        entries = np.rint(position * 255).astype(np.int64)
        under = levels < self.threshold
        entries = np.where(under, np.minimum(entries, self._break() - 1), np.maximum(entries, self._break()))
        return np.clip(entries, 0, 255).astype(np.uint8)

    def palette(self) -> NDArray[np.uint8]:
        """The colours, (256, 3)."""
        split = self._break()
        under = _ramp(split, _PAPER, _ORANGE)
        return np.concatenate([under, _ramp(256 - split, _BLUE, _NAVY)])

    def _break(self) -> int:
        position = (self.threshold - self.low) / (self.high - self.low)
        return int(np.clip(np.ceil(position * 255), 0, 256))


def _ramp(n_colours: int, first: tuple[int, int, int], last: tuple[int, int, int]) -> NDArray[np.uint8]:
    at = np.linspace(0, 1, n_colours)[:, None]
    return np.rint((1 - at) * first + at * last).astype(np.uint8)


def frames_per_column(n_frames: int) -> int:
    """How many frames share a column of the image."""
    return -(-n_frames // MAX_COLUMNS)


def piano_roll_png(roll: NDArray[Any], scale: LevelScale) -> bytes:
    """A roll (N, D) as a PNG of D rows, feature 0 lowest, and N columns (fewer for very long rolls)."""
    step = frames_per_column(len(roll))
    if step > 1:
        roll = np.maximum.reduceat(roll, np.arange(0, len(roll), step), axis=0)
    return _palette_png(scale.index(roll).T[::-1], scale)


def color_bar_png(scale: LevelScale) -> bytes:
    """The palette from lowest to highest level, 256 by 1 pixels."""
    return _palette_png(np.arange(256, dtype=np.uint8)[None], scale)


def data_uri(png: bytes) -> str:
    """A PNG as the address of an image that is part of the page."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _palette_png(entries: NDArray[np.uint8], scale: LevelScale) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(entries))
    image.putpalette(scale.palette().tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
