"""The report of a run: one page for some items, an index and pages for many."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from markupsafe import Markup

from warplens.analysis.events import THRESHOLD
from warplens.analysis.losses.options import Loss
from warplens.analysis.report.addresses import (
    EMBEDDED_SOUND_BYTES,
    SoundAddresses,
    displayed,
    index_address,
    page_address,
    page_path,
)
from warplens.analysis.report.gamma_summary import advice, gamma_summaries, headings
from warplens.analysis.report.item_table import item_table_json
from warplens.analysis.report.item_view import ItemView, item_view
from warplens.analysis.report.overview import Overview
from warplens.analysis.report.page import render, write_page
from warplens.analysis.report.report_item import ReportItem, Row

Pages = Literal["risk", "all"]
"""Items that get a page of their own where there are too many for one page."""

MAX_ITEMS_ON_ONE_PAGE = 50
ITEMS_AT_RISK = 50


@dataclass(frozen=True)
class ItemPage:
    """Function that writes the pages of items, in any process.

    Attributes:
        out: folder of the report.
        threshold: level under which an event counts as lost, as it is shown.
    """

    out: Path
    threshold: str

    def __call__(self, entry: ReportItem) -> bool:
        """Write the page of an item; return False where it cannot be written."""
        index = index_address(entry.id)
        try:
            write_page(
                page_path(self.out, entry.id),
                "item_page.html.j2",
                index=index,
                name=displayed(entry.id),
                threshold=self.threshold,
                section=_section(entry, SoundAddresses(self.out, index.removesuffix("report.html"))),
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
    loss: Loss | None = None,
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
        loss: the loss of the run, None for soft DTW.

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
        sections: Iterator[Markup] = iter(())
    else:
        addresses = {i: "#item-" + quote(displayed(overview.ids[i])) for i in shown}
        sounds = SoundAddresses(out, bytes_left=EMBEDDED_SOUND_BYTES)
        sections = (_section(load(overview.ids[i]), sounds) for i in sorted(shown))
    write_page(
        out / "report.html",
        "report.html.j2",
        **_at_a_glance(overview, shown_threshold, addresses),
        many=many,
        threshold=shown_threshold,
        sections=sections,
        loss_words=_loss_words(loss),
        event_words=_event_words(loss),
    )


def _loss_words(loss: Loss | None) -> str:
    return "soft DTW" if loss is None or loss.name == "sdtw" else ", ".join(loss.describe())


def _event_words(loss: Loss | None) -> Markup:
    if loss is not None and loss.target_word == "label":
        return Markup("Here each label is an <em>event</em>.")
    return Markup(
        "An <em>event</em> is a run of weak-target frames in which one feature is active: "
        "a note of the score."
    )


def _section(entry: ReportItem, sounds: SoundAddresses) -> Markup:
    view: ItemView | None = None
    if entry.item is not None and entry.analysis is not None:
        view = item_view(entry.item, entry.analysis)
    return render(
        "section.html.j2",
        entry=entry,
        name=displayed(entry.id),
        view=view,
        sounds=sounds.of(entry.sounds),
    )


def _at_a_glance(overview: Overview, threshold: str, addresses: Mapping[int, str]) -> dict[str, Any]:
    summaries = gamma_summaries(overview)
    return {
        "overview": overview,
        "gammas": summaries,
        "headings": headings(overview),
        "advice": advice(summaries, threshold),
        "failed": [(displayed(overview.ids[i]), displayed(why)) for i, why in overview.failed.items()],
        "addresses": [(displayed(overview.ids[i]), where) for i, where in addresses.items()],
        "table": Markup(item_table_json(overview, addresses)),
    }
