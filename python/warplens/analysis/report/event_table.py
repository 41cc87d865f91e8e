"""The events of an item one by one, those most at risk first."""

from dataclasses import dataclass

import numpy as np

from warplens.analysis.axes import note_name
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.io import Item

MAX_EVENTS = 200
"""Lines of the table; the item file has all events."""


@dataclass(frozen=True)
class EventLine:
    """An event: which one, where it lies, and its numbers at each gamma."""

    name: str
    target_frames: str
    where: str
    peaks: list[tuple[str, bool]]
    """Peak, and whether it is under the threshold."""
    times: list[str]
    """Expected duration at each gamma, then onset fade, then offset fade."""


@dataclass(frozen=True)
class EventTable:
    """The lines with the lowest peaks, out of `total` events, `lost` of them lost at some gamma."""

    lines: list[EventLine]
    total: int
    lost: int
    unit: str


def event_table(item: Item, analysis: ItemAnalysis) -> EventTable:
    """Lay out the events, the lowest peak at any gamma first."""
    events, levels = analysis.events, analysis.levels
    lost = levels.peak < analysis.threshold  # (G, K)
    order = np.argsort(levels.peak.min(axis=0), kind="stable")[:MAX_EVENTS]

    unit, form = (1000 / item.fps, ".0f") if item.fps else (1.0, ".1f")
    measured = np.concatenate([levels.duration, levels.onset_fade, levels.offset_fade])[:, order].T * unit
    times = [[format(value, form) for value in of_event] for of_event in measured.tolist()]
    lines = []
    for k, of_event in zip(order.tolist(), times, strict=True):
        feature, start, stop = int(events.feature[k]), int(events.start[k]), int(events.stop[k])
        lines.append(
            EventLine(
                name=f"feature {feature}"
                if item.lowest_pitch is None
                else note_name(item.lowest_pitch + feature),
                target_frames=str(start) if stop == start + 1 else f"{start}–{stop - 1}",
                where=_where(int(levels.first[0, k]), int(levels.last[0, k]), item.fps),
                peaks=[
                    (f"{peak:.2f}", bool(under))
                    for peak, under in zip(levels.peak[:, k].tolist(), lost[:, k].tolist(), strict=True)
                ],
                times=of_event,
            )
        )
    return EventTable(lines, len(events), int(lost.any(axis=0).sum()), "ms" if item.fps else "frames")


def _where(first: int, last: int, fps: float | None) -> str:
    if fps:
        return f"{first / fps:.2f}–{(last + 1) / fps:.2f} s"
    return f"frames {first}–{last}" if last > first else f"frame {first}"
