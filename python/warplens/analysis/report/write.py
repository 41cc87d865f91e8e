"""The report of a run: one page for some items, an index and pages for many."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote

from warplens.analysis.report.addresses import (
    EMBEDDED_SOUND_BYTES,
    SoundAddresses,
    displayed,
    index_address,
    page_address,
    page_path,
)
from warplens.analysis.report.at_a_glance import at_a_glance
from warplens.analysis.report.overview import Overview
from warplens.analysis.report.page import framed, guide, layout_tools, write_page
from warplens.analysis.report.report_item import ReportItem, Row
from warplens.analysis.report.section import section

Pages = Literal["risk", "all"]
"""Which items get a page of their own where there are too many for one page."""

MAX_ITEMS_ON_ONE_PAGE = 50
ITEMS_AT_RISK = 50


@dataclass(frozen=True)
class ItemPage:
    """Draws the pages of items, in whatever process.

    Attributes:
        out: folder of the report.
        threshold: level under which an event counts as lost, as it is shown.
    """

    out: Path
    threshold: str

    def __call__(self, entry: ReportItem) -> bool:
        """Write the page of an item; whether it is there then."""
        index = index_address(entry.id)
        sounds = SoundAddresses(self.out, index.removesuffix("report.html"))
        page = framed(
            [
                f'<header>\n<p><a href="{escape(index)}">← all items</a></p>\n',
                guide(self.threshold),
                layout_tools(),
                "</header>\n<main>\n",
                section(entry, sounds),
                "</main>\n",
            ],
            title=f"{displayed(entry.id)} – Warplens report",
            scripts=["rolls.js"],
        )
        try:
            write_page(page_path(self.out, entry.id), page)
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
    threshold: float = 0.5,
    pages: Pages = "risk",
    draw_each: DrawEach | None = None,
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

    Raises:
        OSError: the report cannot be written.
    """
    overview = Overview.of(rows)
    shown_threshold = format(threshold, "g")
    shown = overview.by_risk()
    many = len(overview) > MAX_ITEMS_ON_ONE_PAGE
    if many:
        chosen = shown if pages == "all" else shown[:ITEMS_AT_RISK]
        ids = [overview.ids[i] for i in chosen]
        draw = ItemPage(out, shown_threshold)
        drawn = draw_each(draw, ids) if draw_each else (draw(load(item_id)) for item_id in ids)
        addresses = {
            i: page_address(item_id)
            for i, item_id, is_there in zip(chosen, ids, drawn, strict=True)
            if is_there
        }
        sections: Iterator[str] = iter(())
    else:
        addresses = {i: "#item-" + quote(displayed(overview.ids[i])) for i in shown}
        sounds = SoundAddresses(out, room=EMBEDDED_SOUND_BYTES)
        sections = (section(load(overview.ids[i]), sounds) for i in sorted(shown))
    head = at_a_glance(overview, shown_threshold, addresses, many=many)
    tools = layout_tools() if overview.gammas and not many else ""
    content = chain([f"<header>\n{head}{tools}</header>\n<main>\n"], sections, ["</main>\n"])
    page = framed(content, title="Warplens report", scripts=["table.js", "rolls.js"])
    write_page(out / "report.html", page)
