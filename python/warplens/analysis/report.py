"""The report: one HTML page that needs nothing beside itself, written item by item."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.item_view import ItemView, item_view
from warplens.io import Item


@dataclass(frozen=True)
class ReportItem:
    """An item with its analysis, or the reason why there is none."""

    id: str
    item: Item | None = None
    analysis: ItemAnalysis | None = None
    error: str | None = None
    warning: str | None = None


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
    file: IO[bytes], items: Iterable[ReportItem], rows: Sequence[dict[str, Any]], *, threshold: float = 0.5
) -> None:
    """Write the page.

    Args:
        file: where to.
        items: in the order of the page, drawn one at a time: a generator keeps memory flat.
        rows: the rows of the table of all items (columns of `items.csv`), for the summary at the top.
        threshold: level under which an event counts as lost.
    """
    page = _environment().get_template("report.html.j2")
    parts = page.generate(
        overview=_overview(rows),
        failed=[row for row in rows if row["status"] == "failed"],
        gammas=_gamma_summaries(rows),
        threshold=format(threshold, "g"),
        items=_views(items),
    )
    for part in parts:
        # A file name need not be valid Unicode; the page always is.
        file.write(part.encode("utf-8", "backslashreplace"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("warplens.analysis"),
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
