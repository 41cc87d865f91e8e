"""The events of an item one by one, those most at risk first."""

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.axes import note_name
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.io import Item

MAX_EVENTS = 200
"""Lines of the table; the item file has all events."""


def event_table(item: Item, analysis: ItemAnalysis) -> str:
    """The events in a table that opens by a click, the lowest peak at any gamma first; none without events.

    A line tells which event it is, where it lies, and at each gamma its peak, expected duration, onset and
    offset fade.
    """
    if len(analysis.events) == 0:
        return ""
    lost = analysis.levels.peak < analysis.threshold  # (G, K)
    order = np.argsort(analysis.levels.peak.min(axis=0), kind="stable")[:MAX_EVENTS]
    threshold, unit = f"{analysis.threshold:g}", "ms" if item.fps else "frames"
    listed = f"; the first {len(order)} listed" if len(order) < len(analysis.events) else ""
    gammas = [format(gamma, "g") for gamma in analysis.gammas]
    groups = "".join(
        [
            f'<th colspan="{len(gammas)}" scope="colgroup">{measure}</th>\n'
            for measure in (
                "peak at γ =",
                f"expected duration ({unit})",
                f"onset fade ({unit})",
                f"offset fade ({unit})",
            )
        ]
    )
    columns = "".join([f'<th scope="col">{gamma}</th>' for gamma in gammas * 4])
    return f"""<details>
<summary>Events, lowest peak first: {len(analysis.events)}, {lost.any(axis=0).sum()} of them under \
{threshold} at some γ{listed}</summary>
<div class="scroll">
<table class="events">
<thead><tr><th rowspan="2" scope="col">event</th><th rowspan="2" scope="col">target frames m</th>
<th rowspan="2" scope="col">where, at γ = {gammas[0]}</th>{groups}</tr>
<tr>{columns}</tr></thead>
<tbody>
{_lines(item, analysis, lost, order)}</tbody>
</table>
</div>
</details>
"""


def _lines(item: Item, analysis: ItemAnalysis, lost: NDArray[np.bool_], order: NDArray[np.int64]) -> str:
    """The lines of these events, made by column and filled in at once: there are thousands of numbers."""
    events, levels = analysis.events, analysis.levels
    starts, lasts = events.start[order].tolist(), (events.stop[order] - 1).tolist()
    where, places = _places(levels.first[0, order], levels.last[0, order], item.fps)
    columns: list[list[Any]] = [
        _names(events.feature[order].tolist(), item.lowest_pitch),
        [str(a) if a == b else f"{a}–{b}" for a, b in zip(starts, lasts, strict=True)],
        *places,
    ]
    for peaks, under in zip(levels.peak[:, order].tolist(), lost[:, order].tolist(), strict=True):
        columns += [' class="lost"' if each else "" for each in under], peaks
    times = np.concatenate([levels.duration, levels.onset_fade, levels.offset_fade])[:, order]  # (3 G, K)
    if item.fps:
        time, times_shown = "%d", np.rint(times * (1000 / item.fps)).astype(np.int64).tolist()
    else:
        time, times_shown = "%.1f", times.tolist()
    columns += times_shown
    cells = "<td%s>%.2f</td>" * len(lost) + f"<td>{time}</td>" * len(times)
    line = f'<tr><th scope="row">%s</th><td>%s</td><td>{where}</td>{cells}</tr>\n'
    return line * len(order) % tuple(chain.from_iterable(zip(*columns, strict=True)))


def _names(features: list[int], lowest_pitch: int | None) -> list[str]:
    if lowest_pitch is None:
        return [f"feature {d}" for d in features]
    names = {d: note_name(lowest_pitch + d) for d in set(features)}
    return [names[d] for d in features]


def _places(
    firsts: NDArray[np.int64], lasts: NDArray[np.int64], fps: float | None
) -> tuple[str, list[list[Any]]]:
    """From where to where each event goes: how it is written, and the columns to write so."""
    if fps:
        return "%.2f–%.2f s", [(firsts / fps).tolist(), ((lasts + 1) / fps).tolist()]
    spans = zip(firsts.tolist(), lasts.tolist(), strict=True)
    return "%s", [[f"frames {a}–{b}" if b > a else f"frame {a}" for a, b in spans]]
