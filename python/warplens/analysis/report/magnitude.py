"""Magnitude over duration: a dot an event, its peak in Y_mod over its expected duration, a plot a gamma.

Short events that sink where long ones stay are the imbalance that a soft alignment teaches (Zeitler &
Mueller, ISMIR 2025, section 5.3).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.ticks import Tick

_SHORTEST = 0.1
"""Frames; an event that gets less stands at the left end."""


@dataclass(frozen=True)
class MagnitudePlot:
    """Dots as SVG paths in a box of 1000 by 1000, zero at the bottom left."""

    title: str
    kept: str
    lost: str
    threshold: float
    """Height of the line that parts them, in the same box."""
    duration_ticks: list[Tick]
    peak_ticks: list[Tick]
    label: str


def magnitude_plots(analysis: ItemAnalysis, fps: float | None) -> list[MagnitudePlot]:
    """Lay out a plot for each gamma on common axes; none without events."""
    if len(analysis.events) == 0:
        return []
    unit = 1 / fps if fps else 1.0
    durations = np.maximum(analysis.levels.duration, _SHORTEST) * unit
    low, high = float(durations.min()) / 1.1, float(durations.max()) * 1.1
    top = max(1.0, float(analysis.levels.peak.max())) * 1.03
    across = _rounded(1000 * np.log(durations / low) / math.log(high / low))
    down = _rounded(1000 * (1 - np.maximum(analysis.levels.peak, 0) / top))
    lost = analysis.levels.peak < analysis.threshold
    peak_ticks = [Tick(round(100 * level / top, 2), format(level, "g")) for level in (0.0, 0.5, 1.0)]
    duration_ticks = _log_ticks(low, high)
    return [
        MagnitudePlot(
            f"γ = {gamma:g}",
            _dots(across[g][~lost[g]], down[g][~lost[g]]),
            _dots(across[g][lost[g]], down[g][lost[g]]),
            round(1000 * (1 - analysis.threshold / top), 1),
            duration_ticks,
            peak_ticks,
            "expected duration (s)" if fps else "expected duration (frames)",
        )
        for g, gamma in enumerate(analysis.gammas)
    ]


def _rounded(positions: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(positions).astype(np.int64)


def _dots(across: NDArray[np.int64], down: NDArray[np.int64]) -> str:
    # A line of no length with round ends is a dot, whatever the box is stretched to.
    return "M%d %dh0" * len(across) % tuple(np.stack([across, down], axis=1).ravel().tolist())


def _log_ticks(low: float, high: float, at_most: int = 5) -> list[Tick]:
    """Place ticks at 1, 2, 5 times powers of ten where they fit, else at the powers, else at some of them."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors, every in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 4)):
        values = [factor * 10.0**power for power in powers if power % every == 0 for factor in factors]
        inside = [value for value in values if low <= value <= high]
        if len(inside) <= at_most:
            break
    span = math.log(high / low)
    return [Tick(round(100 * math.log(value / low) / span, 2), format(value, "g")) for value in inside]
