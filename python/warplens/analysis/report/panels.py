"""Panels of a page: piano rolls with axes and marks, and curves under them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import Events
from warplens.analysis.levels import EventLevels
from warplens.analysis.report.piano_roll import frames_per_column
from warplens.analysis.ticks import Tick, frame_ticks, round_steps

LONG_ROLL_FRAMES = 900
"""Longer rolls take the width of the page each, and can be stretched beyond it."""

_TICKS_OF_A_STRETCHED_ROLL = 64


@dataclass(frozen=True)
class Panel:
    """A piano roll with its axes; `marks` is an SVG path in units of frames and rows, from the top left."""

    title: str
    note: str
    image: str
    frames: int
    time_ticks: list[Tick]
    time_label: str
    marks: str = ""
    performed: bool = True
    """True where its frames are prediction frames: one time has one place in all such panels."""
    close_ticks: tuple[Tick, ...] = ()
    """Further ticks for when the roll is stretched."""


@dataclass(frozen=True)
class Curve:
    """h(n) under its roll: an SVG path in a box of `frames` by 1000 units, zero at the bottom."""

    path: str
    frames: int
    ticks: list[Tick]


def close_ticks(n_frames: int, fps: float | None) -> tuple[Tick, ...]:
    """Place ticks between those of `frame_ticks` for a roll that can be stretched."""
    far = {tick.position for tick in frame_ticks(n_frames, fps)}
    ticks = frame_ticks(n_frames, fps, _TICKS_OF_A_STRETCHED_ROLL)
    return tuple(tick for tick in ticks if tick.position not in far)


def target_marks(events: Events, lost: NDArray[np.bool_], low: int, high: int) -> str:
    """Outline lost events in the weak target, features low..high, as boxes."""
    return _boxes(events.feature, events.start, events.stop, lost, low, high)


def performed_marks(
    events: Events, levels: EventLevels, g: int, lost: NDArray[np.bool_], low: int, high: int
) -> str:
    """Outline lost events in Y_mod, over the frames with at least half the peak, as boxes."""
    return _boxes(events.feature, levels.first[g], levels.last[g] + 1, lost, low, high)


def curve(h: NDArray[Any], top: float) -> Curve:
    """Outline h(n), a step a column of the roll: the largest value where frames share one."""
    step = frames_per_column(len(h))
    heights = np.maximum.reduceat(h, np.arange(0, len(h), step)).astype(np.float64)
    down = np.rint(1000 * (top - heights) / top).astype(np.int64).tolist()
    ticks = [Tick(100.0, format(top, "g")), Tick(0.0, "0")]
    points = f"V%dh{step}" * len(down) % tuple(down)
    return Curve(f"M0 1000{points}V1000z", len(heights) * step, ticks)


def curve_top(h: NDArray[Any]) -> float:
    """Return the end of the common axis: a whole number of round steps, at or above the largest value."""
    most = max(float(h.max()), 1e-12)
    step = round_steps(most, 4)
    return step * math.ceil(most / step - 1e-9)


def _boxes(
    features: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    low: int,
    high: int,
) -> str:
    shown = np.flatnonzero(chosen & (features >= low) & (features <= high))
    boxes = zip(starts[shown].tolist(), stops[shown].tolist(), (high - features[shown]).tolist(), strict=True)
    return "".join([f"M{start} {row}h{stop - start}v1h{start - stop}z" for start, stop, row in boxes])
