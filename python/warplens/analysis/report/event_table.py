"""The events of an item one by one, those most at risk first."""

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
    """The lines of these events, made by column: there are thousands of numbers."""
    events, levels = analysis.events, analysis.levels
    unit, form = (1000 / item.fps, "%.0f") if item.fps else (1.0, "%.1f")
    starts, lasts = events.start[order].tolist(), (events.stop[order] - 1).tolist()
    columns: list[list[object]] = [
        _names(events.feature[order].tolist(), item.lowest_pitch),
        [str(a) if a == b else f"{a}–{b}" for a, b in zip(starts, lasts, strict=True)],
        _places(levels.first[0, order].tolist(), levels.last[0, order].tolist(), item.fps),
    ]
    for peaks, under in zip(levels.peak[:, order].tolist(), lost[:, order].tolist(), strict=True):
        columns += [' class="lost"' if each else "" for each in under], peaks
    for times in (levels.duration, levels.onset_fade, levels.offset_fade):
        columns += (times[:, order] * unit).tolist()
    n_gammas = len(analysis.gammas)
    cells = "<td%s>%.2f</td>" * n_gammas + f"<td>{form}</td>" * (3 * n_gammas)
    line = f'<tr><th scope="row">%s</th><td>%s</td><td>%s</td>{cells}</tr>\n'
    return "".join([line % row for row in zip(*columns, strict=True)])


def _names(features: list[int], lowest_pitch: int | None) -> list[object]:
    if lowest_pitch is None:
        return [f"feature {d}" for d in features]
    return [note_name(lowest_pitch + d) for d in features]


def _places(firsts: list[int], lasts: list[int], fps: float | None) -> list[object]:
    spans = zip(firsts, lasts, strict=True)
    if fps:
        return [f"{a / fps:.2f}–{(b + 1) / fps:.2f} s" for a, b in spans]
    return [f"frames {a}–{b}" if b > a else f"frame {a}" for a, b in spans]
