"""The report of a run: one page for some items, an index and pages for many."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from markupsafe import Markup

from warplens.analysis.events import THRESHOLD
from warplens.analysis.losses.options import SDTW, Loss
from warplens.analysis.report.addresses import (
    EMBEDDED_SOUND_BYTES,
    SoundAddresses,
    displayed,
    index_address,
    neighbour_address,
    page_address,
    page_path,
)
from warplens.analysis.report.gamma_summary import advice, gamma_summaries, headings, headline
from warplens.analysis.report.item_table import item_table_json
from warplens.analysis.report.item_view import ItemView, Lesson, item_lesson, item_view
from warplens.analysis.report.overview import Overview
from warplens.analysis.report.page import render, write_page
from warplens.analysis.report.report_item import ReportItem, Row

Pages = Literal["risk", "all"]
"""Items that get a page of their own where there are too many for one page."""

MAX_ITEMS_ON_ONE_PAGE = 50
ITEMS_AT_RISK = 50
ITEMS_UNFOLDED = 10
"""Items at the top of the report; those that follow are folded."""


@dataclass(frozen=True)
class ItemPage:
    """Function that writes the pages of items, in any process.

    Attributes:
        out: folder of the report.
        threshold: level under which an event counts as lost, as it is shown.
        neighbours: ids of the items before and after each, where there are any.
        word: what an event is called.
    """

    out: Path
    threshold: str
    neighbours: Mapping[str, tuple[str | None, str | None]]
    word: str = "event"

    def __call__(self, entry: ReportItem) -> bool:
        """Write the page of an item; return False where it cannot be written."""
        index = index_address(entry.id)
        before, after = (
            None if other is None else neighbour_address(entry.id, other)
            for other in self.neighbours.get(entry.id, (None, None))
        )
        sounds = SoundAddresses(self.out, index.removesuffix("report.html"))
        try:
            write_page(
                page_path(self.out, entry.id),
                "item_page.html.j2",
                index=index,
                before=before,
                after=after,
                name=displayed(entry.id),
                threshold=self.threshold,
                word=self.word,
                section=_section(entry, sounds, high=True),
            )
        except OSError:
            # A name too long for a page, or that of another item's folder: the index goes without this page.
            # Where nothing can be written any more, the index cannot either, and its error stands.
            return False
        return True


DrawEach: TypeAlias = Callable[[ItemPage, Sequence[str]], Iterable[bool]]
"""(draw, ids) -> for each id, whether its page is there after draw(item)."""


def write_report(
    out: Path,
    rows: Iterable[Row],
    load: Callable[[str], ReportItem],
    *,
    threshold: float = THRESHOLD,
    pages: Pages = "risk",
    draw_each: DrawEach | None = None,
    loss: Loss = SDTW,
) -> None:
    """Write OUT/report.html and, if there are many items, a page for each of some of them.

    Up to 50 items are shown on one page that needs nothing beside itself. Above that OUT/report.html is an
    index of all items that links OUT/items/<id>.html for the 50 with the most events at risk, which are those
    with the most events under the threshold at any one gamma. Pages are complete or not there, and the same
    bytes for the same input. All work from the disk without a server.

    Args:
        out: folder of the results; it is there.
        rows: the rows of `items.csv`, sorted by id, then gamma; run through once.
        load: gives an item, its analysis and its sounds by id, called for one item after the other and only
            for those that are shown; what cannot be read is a `ReportItem` with its `error`.
        threshold: level under which an event counts as lost.
        pages: above 50 items, which of them get a page: those most at risk, or "all".
        draw_each: draws pages side by side; None draws one after the other.
        loss: the loss of the run.

    Raises:
        OSError: the report cannot be written.
    """
    overview = Overview.of(rows, loss.target_word)
    shown_threshold = format(threshold, "g")
    shown = overview.by_risk()
    names = [overview.ids[i] for i in shown]
    many = len(overview) > MAX_ITEMS_ON_ONE_PAGE
    if many:
        chosen = shown if pages == "all" else shown[:ITEMS_AT_RISK]
        ids = [overview.ids[i] for i in chosen]
        draw = ItemPage(out, shown_threshold, _neighbours(ids), overview.word)
        drawn = draw_each(draw, ids) if draw_each else (draw(load(item_id)) for item_id in ids)
        addresses = {
            i: page_address(item_id)
            for i, item_id, is_there in zip(chosen, ids, drawn, strict=True)
            if is_there
        }
        if len(addresses) < len(ids):
            # Pages beside one that cannot be written lead on to the next one that is there.
            around = _neighbours([overview.ids[i] for i in addresses])
            for item_id in around:
                if around[item_id] != draw.neighbours[item_id]:
                    ItemPage(out, shown_threshold, around, overview.word)(load(item_id))
        sections = (_brief_section(load(overview.ids[i]), addresses.get(i)) for i in shown[:ITEMS_UNFOLDED])
    else:
        addresses = {i: _anchor(overview.ids[i]) for i in shown}
        sounds = SoundAddresses(out, bytes_left=EMBEDDED_SOUND_BYTES)
        neighbours = _neighbours(names)
        sections = (_section(load(item_id), sounds, *neighbours[item_id]) for item_id in names)
    write_page(
        out / "report.html",
        "report.html.j2",
        **_at_a_glance(overview, shown_threshold, addresses),
        many=many,
        threshold=shown_threshold,
        sections=sections,
        unfolded=ITEMS_UNFOLDED,
        n_sections=min(len(shown), ITEMS_UNFOLDED) if many else len(shown),
        word=overview.word,
        loss_words="" if loss.name == "sdtw" else f", {', '.join(loss.describe())}",
    )


def _neighbours(ids: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
    """Return the ids before and after each."""
    around = [None, *ids, None]
    return {item_id: (around[i], around[i + 2]) for i, item_id in enumerate(ids)}


def _anchor(item_id: str) -> str:
    """Return the address of an item's section on the page that holds it."""
    return "#item-" + quote(displayed(item_id))


def _section(
    entry: ReportItem,
    sounds: SoundAddresses,
    before: str | None = None,
    after: str | None = None,
    *,
    high: bool = False,
) -> Markup:
    """Render an item with all that is known of it; on a page of its own nothing is folded."""
    view: ItemView | None = None
    if entry.item is not None and entry.analysis is not None:
        view = item_view(entry.item, entry.analysis, high=high)
    return _render(
        entry,
        view.lesson if view else None,
        view=view,
        alone=high,
        sounds=sounds.of(entry.sounds),
        before=None if before is None else _anchor(before),
        after=None if after is None else _anchor(after),
    )


def _brief_section(entry: ReportItem, page: str | None) -> Markup:
    """Render the lesson of an item alone, which its own page tells in full."""
    lesson: Lesson | None = None
    if entry.item is not None and entry.analysis is not None:
        lesson = item_lesson(entry.item, entry.analysis)
    return _render(entry, lesson, page=page)


def _render(entry: ReportItem, lesson: Lesson | None, **values: Any) -> Markup:
    absent = dict.fromkeys(("view", "page", "before", "after"))
    values = {**absent, "alone": False, "sounds": (), **values}
    return render("section.html.j2", entry=entry, name=displayed(entry.id), lesson=lesson, **values)


def _at_a_glance(overview: Overview, threshold: str, addresses: Mapping[int, str]) -> dict[str, Any]:
    summaries = gamma_summaries(overview)
    return {
        "overview": overview,
        "gammas": summaries,
        "headings": headings(overview),
        "headline": headline(summaries, overview.word) if summaries else "",
        "advice": advice(summaries, threshold, overview.word),
        "failed": [(displayed(overview.ids[i]), displayed(why)) for i, why in overview.failed.items()],
        "addresses": [(displayed(overview.ids[i]), where) for i, where in addresses.items()],
        "table": Markup(item_table_json(overview, addresses)),
    }
