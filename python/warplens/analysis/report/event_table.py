"""The events of an item one by one, those most at risk first."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.losses.shown import event_name
from warplens.analysis.ticks import note_name
from warplens.io import Item

MAX_EVENTS = 200
"""Lines of the table; the item file has all events."""


class EventLine(NamedTuple):
    """An event as text.

    Attributes:
        name: its note or feature.
        targets: its target frames.
        place: first and last time or frame at the first gamma.
        peaks: "lost" or "kept", and the peak, at each gamma.
        times: expected duration at each gamma, then onset fade, then offset fade.
    """

    name: str
    targets: str
    place: str
    peaks: list[tuple[str, str]]
    times: list[str]


@dataclass(frozen=True)
class EventTable:
    """The lines with the lowest peaks.

    Attributes:
        total: events of the item.
        lost: events under the threshold at some gamma.
        unit: unit of times.
        lines: at most `MAX_EVENTS`, the lowest peak first.
    """

    total: int
    lost: int
    unit: str
    lines: list[EventLine]


def event_table(item: Item, analysis: ItemAnalysis) -> EventTable:
    """Lay out the events, the lowest peak at any gamma first."""
    events, levels = analysis.events, analysis.levels
    lost = levels.peak < analysis.threshold  # (G, K)
    order = np.argsort(levels.peak.min(axis=0), kind="stable")[:MAX_EVENTS]

    unit, time_unit, time_form = (1000 / item.fps, "ms", "%.0f") if item.fps else (1.0, "frames", "%.1f")
    times = np.concatenate([levels.duration, levels.onset_fade, levels.offset_fade])[:, order] * unit
    frames = zip(events.start[order].tolist(), (events.stop[order] - 1).tolist(), strict=True)
    kinds = np.where(lost[:, order], "lost", "kept").T.tolist()
    peaks = levels.peak[:, order].T.tolist()
    lines = [
        EventLine(
            name,
            str(first) if first == last else f"{first}–{last}",
            place,
            [(kind, f"{peak:.2f}") for kind, peak in zip(kinds_of_one, peaks_of_one, strict=True)],
            [time_form % time for time in times_of_one],
        )
        for name, (first, last), place, kinds_of_one, peaks_of_one, times_of_one in zip(
            _names(events.feature[order].tolist(), item.lowest_pitch, analysis),
            frames,
            _places(levels.first[0, order], levels.last[0, order], item.fps),
            kinds,
            peaks,
            times.T.tolist(),
            strict=True,
        )
    ]
    return EventTable(len(events), int(lost.any(axis=0).sum()), time_unit, lines)


def _names(features: list[int], lowest_pitch: int | None, analysis: ItemAnalysis) -> list[str]:
    if analysis.label_names is not None or analysis.loss.target_word == "label":
        return [event_name(analysis, feature) for feature in features]
    if lowest_pitch is None:
        return [f"feature {feature}" for feature in features]
    names = {feature: note_name(lowest_pitch + feature) for feature in set(features)}
    return [names[feature] for feature in features]


def _places(firsts: NDArray[np.int64], lasts: NDArray[np.int64], fps: float | None) -> list[str]:
    """Write the first and last time or frame of each event."""
    if fps:
        seconds = zip((firsts / fps).tolist(), ((lasts + 1) / fps).tolist(), strict=True)
        return [f"{begin:.2f}–{end:.2f} s" for begin, end in seconds]
    spans = zip(firsts.tolist(), lasts.tolist(), strict=True)
    return [f"frames {first}–{last}" if last > first else f"frame {first}" for first, last in spans]
