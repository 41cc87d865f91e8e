"""The report: one HTML page that needs nothing beside itself, written item by item."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from warplens.analysis.report.item_view import ItemView, item_view
from warplens.analysis.report.report_item import ReportItem, Row
from warplens.io.replacing import replacing

Pages = Literal["risk", "all"]
"""Which items get a page of their own where there are too many for one page."""


@dataclass(frozen=True)
class GammaSummary:
    """What a gamma does to the events of all items together."""

    gamma: str
    events: int
    lost: int
    peak_mean: float | None

    @property
    def share(self) -> float:
        """Share of the events that are lost, 0 where there are none."""
        return self.lost / self.events if self.events else 0.0


@dataclass(frozen=True)
class OverviewRow:
    """An item in the list at the top: lost events and F at each gamma ("" where not known)."""

    id: str
    frames: int
    targets: int
    events: int
    lost: list[int]
    f_measure: list[str]


def write_report(
    out: Path,
    rows: Iterable[Row],
    load: Callable[[str], ReportItem],
    *,
    threshold: float = 0.5,
    pages: Pages = "risk",
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
            for those that get a page of their own; what cannot be read is a `ReportItem` with its `error`.
        threshold: level under which an event counts as lost.
        pages: above 50 items, which of them get a page: those most at risk, or "all".

    Raises:
        OSError: the report cannot be written.
    """
    rows = list(rows)
    ids = list(dict.fromkeys(row["id"] for row in rows))
    page = _environment().get_template("report.html.j2")
    parts = page.generate(
        overview=_overview(rows),
        failed=[row for row in rows if row["status"] == "failed"],
        gammas=_gamma_summaries(rows),
        threshold=format(threshold, "g"),
        items=_views(load(item_id) for item_id in ids),
    )
    with replacing(out / "report.html") as file:
        for part in parts:
            # A file name need not be valid Unicode; the page always is.
            file.write(part.encode("utf-8", "backslashreplace"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("warplens.analysis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _views(items: Iterable[ReportItem]) -> Iterator[tuple[ReportItem, ItemView | None]]:
    for entry in items:
        if entry.item is None or entry.analysis is None:
            yield entry, None
        else:
            yield entry, item_view(entry.item, entry.analysis)


def _gamma_summaries(rows: Sequence[dict[str, Any]]) -> list[GammaSummary]:
    done = [row for row in rows if row["status"] == "ok"]
    summaries = []
    for gamma in sorted({row["gamma"] for row in done}):
        at_gamma = [row for row in done if row["gamma"] == gamma]
        events = sum(row["events"] for row in at_gamma)
        lost = sum(row["events_below_threshold"] for row in at_gamma)
        peaks = sum(row["peak_mean"] * row["events"] for row in at_gamma if row["events"])
        summaries.append(GammaSummary(format(gamma, "g"), events, lost, peaks / events if events else None))
    return summaries


def _overview(rows: Sequence[dict[str, Any]]) -> list[OverviewRow]:
    by_id: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["status"] == "ok":
            by_id.setdefault(row["id"], []).append(row)
    return [
        OverviewRow(
            item_id,
            of_item[0]["N"],
            of_item[0]["M"],
            of_item[0]["events"],
            [row["events_below_threshold"] for row in of_item],
            ["" if row["f_measure"] is None else f"{row['f_measure']:.3f}" for row in of_item],
        )
        for item_id, of_item in by_id.items()
    ]
