"""The page that compares two results: what the second keeps that the first loses, drawn before any table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from warplens.analysis.compared_events import ComparedEvents, most_changed_first, pool_compared
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.level_colors import LevelScale
from warplens.analysis.percent import percent
from warplens.analysis.report.addresses import displayed
from warplens.analysis.report.item_view import lost_words, with_margin
from warplens.analysis.report.page import render, write_page
from warplens.analysis.report.panels import LOW_ROLL, Panel, RollAxes, performed_marks

ITEMS_DRAWN = 50
ITEMS_UNFOLDED = 10
ROWS = 2000
"""Rows of the table: of the items with the most changed events."""

AtGamma = tuple[ItemAnalysis, int]
"""An analysis and the place of one of its gammas."""


@dataclass(frozen=True)
class ComparedSide:
    """One of the results.

    Attributes:
        name: name of the folder; empty where the gamma tells the two apart.
        gamma: its gamma.
    """

    name: str
    gamma: float

    def __str__(self) -> str:
        gamma = f"γ = {self.gamma:g}"
        return f"{self.name} ({gamma})" if self.name else gamma


def comparison_headline(pooled: ComparedEvents, first: str, second: str) -> str:
    """Say in a sentence what the second keeps that the first loses, and the reverse."""
    lost = pooled.lost_by_first
    if lost:
        share = percent(pooled.n_regained / lost)
        gained = (
            f"{second} keeps {pooled.n_regained} of the {lost} {pooled.word}s that {first} loses ({share})"
        )
    else:
        gained = f"{first} loses none of {pooled.events} {pooled.word}s"
    return f"{gained}; {second} loses {pooled.n_newly_lost or 'none'} that {first} keeps."


def write_comparison(
    path: Path,
    first: ComparedSide,
    second: ComparedSide,
    items: Sequence[ComparedEvents],
    load: Callable[[str], tuple[AtGamma, AtGamma]],
    *,
    threshold: float,
    left_out: dict[str, str] | None = None,
) -> None:
    """Write the page of a comparison; the same bytes for the same input.

    The items with the most changed events come first, Y_mod of both under each other; beyond ten they are
    folded, beyond fifty they are in the table alone.

    Args:
        path: file of the page.
        first: what is compared with.
        second: what is looked at.
        items: events of the items.
        load: reads both analyses of an item, with the places of their gammas.
        threshold: level under which an event counts as lost.
        left_out: why items could not be compared, by id.

    Raises:
        OSError: the page cannot be written.
    """
    ordered = most_changed_first(items)
    drawn = [item for item in ordered if item.changed][:ITEMS_DRAWN]
    pooled = pool_compared(items, "all")
    write_page(
        path,
        "comparison.html.j2",
        first=displayed(str(first)),
        second=displayed(str(second)),
        headline=displayed(comparison_headline(pooled, str(first), str(second))),
        pooled=pooled,
        word=pooled.word,
        pooled_shares=[_share(pooled.lost_by_first, pooled), _share(pooled.lost_by_second, pooled)],
        n_items=len(items),
        threshold=format(threshold, "g"),
        sections=(_section(item, first, second, load, threshold) for item in drawn),
        n_sections=len(drawn),
        unfolded=ITEMS_UNFOLDED,
        drawn={item.id for item in drawn},
        rows=[(displayed(item.id), item) for item in ordered[:ROWS]],
        n_changed=sum(item.changed > 0 for item in items),
        left_out=[(displayed(name), displayed(why)) for name, why in (left_out or {}).items()],
    )


def _share(lost: int, pooled: ComparedEvents) -> str:
    return percent(lost / pooled.events if pooled.events else 0.0, lost=True)


def _section(
    item: ComparedEvents,
    first: ComparedSide,
    second: ComparedSide,
    load: Callable[[str], tuple[AtGamma, AtGamma]],
    threshold: float,
) -> Markup:
    of_first, of_second = load(item.id)
    axes = _axes([of_first, of_second], threshold)
    rolls = [
        _panel(axes, item, side, at, item.events - int(kept.sum()))
        for side, at, kept in (
            (first, of_first, item.kept_by_first),
            (second, of_second, item.kept_by_second),
        )
    ]
    return render("comparison_section.html.j2", name=displayed(item.id), item=item, axes=axes, rolls=rolls)


def _axes(both: list[AtGamma], threshold: float) -> RollAxes:
    rolls = [analysis.y_mod[g] for analysis, g in both]
    analysis = both[0][0]
    active = np.zeros(analysis.shape[2], np.bool_)
    active[analysis.events.feature] = True
    low, high = with_margin(active)
    return RollAxes(
        max(len(roll) for roll in rolls),
        low,
        high,
        LevelScale.of(*rolls, threshold=threshold),
        analysis.fps,
        analysis.lowest_pitch,
        LOW_ROLL,
    )


def _panel(axes: RollAxes, item: ComparedEvents, side: ComparedSide, at: AtGamma, lost: int) -> Panel:
    analysis, g = at
    marks = [
        performed_marks(analysis.events, analysis.levels, g, chosen, axes.low, axes.high)
        for chosen in (item.newly_lost, item.regained)
    ]
    return axes.performed(
        f"Y_mod, {displayed(str(side))}",
        lost_words(lost, item.events, item.word),
        analysis.y_mod[g],
        lost=marks[0],
        regained=marks[1],
        loses=lost > 0,
    )
