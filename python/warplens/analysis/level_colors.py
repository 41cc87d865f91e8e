"""Colours of levels, which break at the threshold, and levels of predictions.

Levels under it run from paper to orange, levels above it from blue to navy: what a network will be taught to
lose is orange all over, in the report as in every picture.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PAPER = (255, 255, 255)
_ORANGE = (224, 100, 8)
_BLUE = (84, 134, 196)
_NAVY = (8, 34, 84)


@dataclass(frozen=True)
class LevelScale:
    """Levels that the first and the last colour stand for, and the threshold at which the colours break."""

    low: float
    high: float
    threshold: float

    @classmethod
    def of(cls, *rolls: NDArray[Any] | None, threshold: float) -> "LevelScale":
        """Return the scale for rolls that are shown together: [0, 1], wider where they leave it."""
        shown = [roll for roll in rolls if roll is not None]
        low = min(float(roll.min()) for roll in shown)
        high = max(float(roll.max()) for roll in shown)
        # A modified target may leave [0, 1] by a rounding error.
        return cls(low if low < -1e-6 else 0.0, high if high > 1 + 1e-6 else 1.0, threshold)

    def index(self, levels: NDArray[Any]) -> NDArray[np.uint8]:
        """Return palette entries 0 to 255 of levels; those under the threshold alone lie under the break."""
        position = np.asarray((levels - self.low) / (self.high - self.low))
        np.rint(np.multiply(position, 255, out=position), out=position)
        entries = np.clip(position, 0, 255, out=position).astype(np.uint8)
        split = self._break()
        under = levels < self.threshold
        # Rounding takes few levels across the break; choosing for each takes longer than all the rest.
        across = (entries < split) != under
        entries[across] = np.where(under[across], max(split - 1, 0), min(split, 255))
        return entries

    def palette(self) -> NDArray[np.uint8]:
        """Return the colours, (256, 3)."""
        split = self._break()
        under = _ramp(split, _PAPER, _ORANGE)
        return np.concatenate([under, _ramp(256 - split, _BLUE, _NAVY)])

    def _break(self) -> int:
        position = (self.threshold - self.low) / (self.high - self.low)
        return int(np.clip(np.ceil(position * 255), 0, 256))


def predicted_levels(predictions: NDArray[Any], cost: str) -> NDArray[Any]:
    """Return predictions on the scale of their targets: logits become probabilities, log-rates rates."""
    if cost == "bce_logits":
        return np.asarray(0.5 * (1 + np.tanh(predictions / 2)))
    if cost == "ce_logits":
        odds = np.exp(predictions - predictions.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))
    if cost == "poisson_log":
        return np.asarray(np.exp(predictions))
    return predictions


def _ramp(n_colours: int, first: tuple[int, int, int], last: tuple[int, int, int]) -> NDArray[np.uint8]:
    at = np.linspace(0, 1, n_colours)[:, None]
    return np.rint((1 - at) * first + at * last).astype(np.uint8)
