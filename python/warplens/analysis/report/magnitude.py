"""Magnitude over duration: a dot an event, its peak in Y_mod over its expected duration, a plot a gamma.

Short events that sink where long ones stay are the imbalance that a soft alignment teaches (Zeitler &
Mueller, ISMIR 2025, section 5.3).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.ticks import Tick, note_name

_SHORTEST = 0.1
"""Frames; an event that gets less stands at the left end."""


_MOST_LABELS = 4
_ROOM_ACROSS, _ROOM_DOWN = 170, 90
"""Size of a label in the box of 1000 by 1000."""


class DotLabel(NamedTuple):
    """Name of the event of a dot, at its place in per cent from the left and the top."""

    left: float
    top: float
    name: str


@dataclass(frozen=True)
class MagnitudePlot:
    """Dots as SVG paths in a box of 1000 by 1000, zero at the bottom left.

    Attributes:
        title: names the gamma.
        kept: dots of events that reach the threshold.
        lost: dots of the others.
        events: feature and frame of the peak of the event of each dot, first the kept, then the lost ones.
        labels: names of the lowest dots that have room for them.
        threshold: height of the line that parts kept and lost ones, in the same box.
        duration_ticks: ticks of the axis of durations.
        peak_ticks: ticks of the axis of peaks.
        label: label of the axis of durations.
        spans: shortest and longest duration of the axis and the peak at its top, for what is told of a dot.
    """

    title: str
    kept: str
    lost: str
    events: str
    labels: list[DotLabel]
    threshold: float
    duration_ticks: list[Tick]
    peak_ticks: list[Tick]
    label: str
    spans: str


def magnitude_plots(
    analysis: ItemAnalysis, fps: float | None, lowest_pitch: int | None
) -> list[MagnitudePlot]:
    """Lay out a plot for each gamma on common axes; none without events."""
    if len(analysis.events) == 0:
        return []
    levels = analysis.levels
    unit = 1 / fps if fps else 1.0
    durations = np.maximum(levels.duration, _SHORTEST) * unit
    low, high = float(durations.min()) / 1.1, float(durations.max()) * 1.1
    top = max(1.0, float(levels.peak.max())) * 1.03
    across = _rounded(1000 * np.log(durations / low) / math.log(high / low))
    down = _rounded(1000 * (1 - np.maximum(levels.peak, 0) / top))
    lost = levels.peak < analysis.threshold
    peak_ticks = [Tick(round(100 * level / top, 2), format(level, "g")) for level in (0.0, 0.5, 1.0)]
    duration_ticks = _log_ticks(low, high)
    plots = []
    for g, gamma in enumerate(analysis.gammas):
        kept_then_lost = np.concatenate([np.flatnonzero(~lost[g]), np.flatnonzero(lost[g])])
        events = np.stack([analysis.events.feature, levels.peak_frame[g]], axis=1)[kept_then_lost]
        plots.append(
            MagnitudePlot(
                f"γ = {gamma:g}",
                _dots(across[g][~lost[g]], down[g][~lost[g]]),
                _dots(across[g][lost[g]], down[g][lost[g]]),
                " ".join(map(str, events.ravel().tolist())),
                _labels(across[g], down[g], analysis.events.feature, lost[g], lowest_pitch),
                round(1000 * (1 - analysis.threshold / top), 1),
                duration_ticks,
                peak_ticks,
                "expected duration (s)" if fps else "expected duration (frames)",
                f"{low:.6g} {high:.6g} {top:.6g}",
            )
        )
    return plots


def _labels(
    across: NDArray[np.int64],
    down: NDArray[np.int64],
    features: NDArray[np.int64],
    lost: NDArray[np.bool_],
    lowest_pitch: int | None,
) -> list[DotLabel]:
    """Name the lowest of the lost events, as far as labels do not touch."""
    labels: list[DotLabel] = []
    taken: list[tuple[int, int]] = []
    lowest_first = np.flatnonzero(lost)[np.argsort(-down[lost], kind="stable")]
    for k in lowest_first[:200].tolist():
        x, y = int(across[k]), int(down[k])
        if all(abs(x - left) > _ROOM_ACROSS or abs(y - above) > _ROOM_DOWN for left, above in taken):
            taken.append((x, y))
            feature = int(features[k])
            name = f"feature {feature}" if lowest_pitch is None else note_name(lowest_pitch + feature)
            labels.append(DotLabel(x / 10, y / 10, name))
        if len(labels) == _MOST_LABELS:
            break
    return labels


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
