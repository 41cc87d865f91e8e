"""The events of an item one by one, those most at risk first."""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.ticks import note_name
from warplens.io import Item

MAX_EVENTS = 200
"""Lines of the table; the item file has all events."""


@dataclass(frozen=True)
class EventTable:
    """The lines with the lowest peaks, out of `total` events, `lost` of them lost at some gamma.

    Attributes:
        total: events of the item.
        lost: those under the threshold at some gamma.
        unit: of times.
        time_form: how a time is written, as `%` has it.
        columns: of the lines: name, target frames, where at the first gamma; at each gamma "lost" or "kept",
            then the peak; expected duration at each gamma, then onset fade, then offset fade.
    """

    total: int
    lost: int
    unit: str
    time_form: str
    columns: list[list[Any]]

    def __len__(self) -> int:
        return len(self.columns[0])

    def filled(self, line: str) -> Markup:
        """The lines, from one that has a `%` for each column; all are names and numbers of our own making.

        There are thousands of cells: at once they take a fraction of the time that the template would.
        """
        return Markup(str(line) * len(self) % tuple(chain.from_iterable(zip(*self.columns, strict=True))))


def event_table(item: Item, analysis: ItemAnalysis) -> EventTable:
    """Lay out the events, the lowest peak at any gamma first."""
    events, levels = analysis.events, analysis.levels
    lost = levels.peak < analysis.threshold  # (G, K)
    order = np.argsort(levels.peak.min(axis=0), kind="stable")[:MAX_EVENTS]

    unit, time_unit, time_form = (1000 / item.fps, "ms", "%.0f") if item.fps else (1.0, "frames", "%.1f")
    times = np.concatenate([levels.duration, levels.onset_fade, levels.offset_fade])[:, order] * unit
    frames = zip(events.start[order].tolist(), (events.stop[order] - 1).tolist(), strict=True)
    columns: list[list[Any]] = [
        _names(events.feature[order].tolist(), item.lowest_pitch),
        [str(first) if first == last else f"{first}–{last}" for first, last in frames],
        _places(levels.first[0, order], levels.last[0, order], item.fps),
    ]
    for peaks, under in zip(levels.peak[:, order].tolist(), lost[:, order].tolist(), strict=True):
        columns += ["lost" if each else "kept" for each in under], peaks
    columns += times.tolist()
    return EventTable(len(events), int(lost.any(axis=0).sum()), time_unit, time_form, columns)


def _names(features: list[int], lowest_pitch: int | None) -> list[str]:
    if lowest_pitch is None:
        return [f"feature {feature}" for feature in features]
    names = {feature: note_name(lowest_pitch + feature) for feature in set(features)}
    return [names[feature] for feature in features]


def _places(firsts: NDArray[np.int64], lasts: NDArray[np.int64], fps: float | None) -> list[str]:
    """From where to where each event goes."""
    if fps:
        seconds = zip((firsts / fps).tolist(), ((lasts + 1) / fps).tolist(), strict=True)
        return [f"{begin:.2f}–{end:.2f} s" for begin, end in seconds]
    spans = zip(firsts.tolist(), lasts.tolist(), strict=True)
    return [f"frames {first}–{last}" if last > first else f"frame {first}" for first, last in spans]
