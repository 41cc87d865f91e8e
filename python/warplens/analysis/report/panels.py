"""Panels of a page: piano rolls with axes and marks, and curves under them."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.axes import Tick, feature_ticks, frame_ticks, round_steps
from warplens.analysis.events import Events
from warplens.analysis.level_scale import LevelScale
from warplens.analysis.levels import EventLevels
from warplens.analysis.report.piano_roll import data_uri, frames_per_column, piano_roll_png

LONG_ROLL_FRAMES = 900
"""Longer rolls take the width of the page each, and can be stretched beyond it."""

_TICKS_OF_A_STRETCHED_ROLL = 64
_ROLL_PIXELS = 300
_MOST_PIXELS_A_ROW = 14


class Panels:
    """Draws the rolls of one item, features low..high, on one scale of levels and one axis of features.

    Attributes:
        scale: colours of the levels.
        low: the first feature that is shown.
        high: the last one.
    """

    def __init__(self, scale: LevelScale, low: int, high: int, lowest_pitch: int | None) -> None:
        self.scale, self.low, self.high = scale, low, high
        height = _roll_height(high - low + 1)
        labels = ticks(feature_ticks(low, high, lowest_pitch), "bottom")
        self._style = f'style="height:{height}px"'
        self._features = f'<div class="features" {self._style}>\n{labels}\n</div>\n'

    def figure(
        self,
        title: str,
        note: str,
        roll: NDArray[Any],
        time_axis: str,
        *,
        marks: str = "",
        curve: str = "",
        performed: bool = True,
    ) -> str:
        """A roll as a figure.

        Args:
            title: what it is.
            note: a few words more.
            roll: (N, D).
            time_axis: see `time_axis`.
            marks: an SVG path in units of frames and rows, from the top left.
            curve: see `curve`.
            performed: whether its frames are prediction frames, so that one time means one place in all such
                panels.
        """
        frames = len(roll)
        image = data_uri(piano_roll_png(roll[:, self.low : self.high + 1], self.scale))
        boxes = _svg(frames, self.high - self.low + 1, 'aria-hidden="true"', marks, "lost") if marks else ""
        kind = "roll performed" if performed else "roll"
        return f"""<figure>
<figcaption><b>{title}</b> <span>{note}</span></figcaption>
<div class="plot">
{self._features}<div class="{kind}" {self._style} data-frames="{frames}">
<img src="{image}" alt="{title} as a piano roll, {frames} frames">
{boxes}</div>
{curve}{time_axis}</div>
</figure>
"""


def _roll_height(n_rows: int) -> int:
    """Pixels: whole ones a row, so that rows look alike."""
    return n_rows * min(max(round(_ROLL_PIXELS / n_rows), 1), _MOST_PIXELS_A_ROW)


def ticks(places: Iterable[Tick], side: str, kind: str = "") -> str:
    """The labels of an axis, so far from its left or bottom."""
    return "".join([f'<i{kind} style="{side}:{at}%">{label}</i>' for at, label in places])


def time_axis(n_frames: int, fps: float | None, label: str, *, long: bool) -> str:
    """The axis under a roll; a long one has further ticks for when it is stretched."""
    far = frame_ticks(n_frames, fps)
    close = ""
    if long:
        taken = {tick.position for tick in far}
        all_ticks = frame_ticks(n_frames, fps, _TICKS_OF_A_STRETCHED_ROLL)
        between = (tick for tick in all_ticks if tick.position not in taken)
        close = ticks(between, "left", ' class="close"')
    return f'<div class="time">\n{ticks(far, "left")}\n{close}\n<b>{label}</b>\n</div>\n'


def target_marks(events: Events, lost: NDArray[np.bool_], low: int, high: int) -> str:
    """Boxes around lost events in the weak target, features low..high."""
    return _boxes(events.feature, events.start, events.stop, lost, low, high)


def performed_marks(
    events: Events, levels: EventLevels, g: int, lost: NDArray[np.bool_], low: int, high: int
) -> str:
    """Boxes around what is left of lost events in Y_mod: frames with at least half the peak."""
    return _boxes(events.feature, levels.first[g], levels.last[g] + 1, lost, low, high)


def curve(h: NDArray[Any], top: float) -> str:
    """h(n) under its roll, from zero at the bottom to a common top.

    An outline, a step a column of the roll: the largest value where frames share one.
    """
    step = frames_per_column(len(h))
    heights = np.maximum.reduceat(h, np.arange(0, len(h), step)).astype(np.float64)
    down = np.rint(1000 * (top - heights) / top).astype(np.int64).tolist()
    points = f"V%dh{step}" * len(down) % tuple(down)
    labels = ticks([Tick(100.0, format(top, "g")), Tick(0.0, "0")], "bottom")
    outline = _svg(len(h), 1000, 'role="img" aria-label="h(n)"', f"M0 1000{points}V1000z")
    return f"""<div class="levels">
{labels}
<b>h(n)</b>
</div>
<div class="curve performed" data-frames="{len(h)}">
{outline}</div>
"""


def curve_top(h: NDArray[Any]) -> float:
    """End of the common axis: a whole number of round steps, at or above the largest value."""
    most = max(float(h.max()), 1e-12)
    step = round_steps(most, 4)
    return step * math.ceil(most / step - 1e-9)


def _svg(width: int, height: int, role: str, path: str, kind: str = "") -> str:
    styled = f' class="{kind}"' if kind else ""
    return (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" {role}>'
        f'<path{styled} d="{path}"/></svg>\n'
    )


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
