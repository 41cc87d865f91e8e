"""Panels of a page: piano rolls with axes and marks, and curves of h(n)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import Events
from warplens.analysis.level_colors import LevelScale
from warplens.analysis.levels import EventLevels
from warplens.analysis.report.piano_roll import (
    color_bar_png,
    data_uri,
    frames_per_column,
    piano_roll_png,
)
from warplens.analysis.ticks import Tick, feature_ticks, frame_ticks, round_steps

LONG_ROLL_FRAMES = 900
"""Longer rolls take the width of the page each, and can be stretched beyond it."""

LOW_ROLL, HIGH_ROLL = 190, 300
"""Heights of rolls in pixels, about: several under each other on a screen, and one to read closely."""

_MOST_PIXELS_A_ROW = 14

_TICKS_OF_A_STRETCHED_ROLL = 64


@dataclass(frozen=True)
class Panel:
    """A piano roll with its time axis.

    Attributes:
        title: what it shows.
        note: a few words beside the title.
        image: address of the picture.
        frames: frames of the roll.
        time_ticks: ticks of its time axis.
        time_label: label of that axis.
        lost: outlines of lost events, an SVG path in units of frames and rows, from the top left.
        regained: outlines of events that another run loses, likewise.
        loses: whether the note tells of lost events.
        performed: True where its frames are prediction frames: one time has one place in all such panels.
        close_ticks: further ticks for when the roll is stretched.
        gamma: gamma of the Y_mod that is shown, else empty.
    """

    title: str
    note: str
    image: str
    frames: int
    time_ticks: list[Tick]
    time_label: str
    lost: str = ""
    regained: str = ""
    loses: bool = False
    performed: bool = True
    close_ticks: tuple[Tick, ...] = ()
    gamma: str = ""


@dataclass(frozen=True)
class RollAxes:
    """Features, colours, times and height that the rolls of an item share.

    Attributes:
        n_frames: prediction frames N.
        low: lowest feature that is shown.
        high: highest feature that is shown.
        scale: colours of levels.
        fps: frames a second, None where times are frames.
        lowest_pitch: MIDI number of feature 0, None where features are numbers.
        pixels: height of a roll, about.
        names: names of all features, where they have any.
    """

    n_frames: int
    low: int
    high: int
    scale: LevelScale
    fps: float | None
    lowest_pitch: int | None
    pixels: int = LOW_ROLL
    names: Sequence[str] | None = None

    @property
    def rows(self) -> int:
        """Number of features that are shown."""
        return self.high - self.low + 1

    @property
    def height(self) -> int:
        """Height of a roll in pixels: whole ones a row, so that rows look alike."""
        return self.rows * min(max(round(self.pixels / self.rows), 1), _MOST_PIXELS_A_ROW)

    @property
    def is_long(self) -> bool:
        """True where each roll takes the width of the page."""
        return self.n_frames > LONG_ROLL_FRAMES

    @property
    def threshold(self) -> str:
        """The level at which the colours break."""
        return format(self.scale.threshold, "g")

    @property
    def feature_ticks(self) -> list[Tick]:
        """Ticks of the pitch axis."""
        return feature_ticks(self.low, self.high, self.lowest_pitch, self.names)

    @property
    def color_bar(self) -> str:
        """Address of the picture of the colours."""
        return data_uri(color_bar_png(self.scale))

    def performed(self, title: str, note: str, roll: NDArray[Any], **known: Any) -> Panel:
        """Lay out a roll (N, D) of prediction frames; further fields of the panel by name."""
        label = "time (s)" if self.fps else "prediction frame n"
        return self._panel(title, note, roll, self.fps, label, **known)

    def target(self, title: str, note: str, roll: NDArray[Any], **known: Any) -> Panel:
        """Lay out a roll (M, D) of weak-target frames; further fields of the panel by name."""
        return self._panel(title, note, roll, None, "target frame m", performed=False, **known)

    def _panel(
        self, title: str, note: str, roll: NDArray[Any], fps: float | None, label: str, **known: Any
    ) -> Panel:
        image = data_uri(piano_roll_png(roll[:, self.low : self.high + 1], self.scale))
        between = close_ticks(len(roll), fps) if self.is_long else ()
        ticks = frame_ticks(len(roll), fps)
        return Panel(title, note, image, len(roll), ticks, label, close_ticks=between, **known)


@dataclass(frozen=True)
class Curve:
    """h(n) over time: an SVG path in a box of `frames` by 1000, zero at the bottom, `top` at the top."""

    title: str
    path: str
    frames: int
    ticks: list[Tick]
    top: str


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


def curve(title: str, h: NDArray[Any], top: float) -> Curve:
    """Outline h(n), a step a column of the roll: the largest value where frames share one."""
    step = frames_per_column(len(h))
    heights = np.maximum.reduceat(h, np.arange(0, len(h), step)).astype(np.float64)
    down = np.rint(1000 * (top - heights) / top).astype(np.int64).tolist()
    ticks = [Tick(100.0, format(top, "g")), Tick(0.0, "0")]
    points = f"V%dh{step}" * len(down) % tuple(down)
    return Curve(title, f"M0 1000{points}V1000z", len(heights) * step, ticks, format(top, "g"))


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
