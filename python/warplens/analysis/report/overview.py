"""Overview of all items, from the rows of `items.csv`, with those most at risk."""

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.report.report_item import Row

LOST = "events_below_threshold"


class ShownMeasure(NamedTuple):
    """A measure that pages show of every item: its name in the table, its heading, its decimals, its weight.

    The weight is what the average over items counts of each: items, events, or matched notes.
    """

    name: str
    heading: str
    decimals: int
    weight: Literal["items", "events", "matched_notes"] = "items"


SHOWN = (
    ShownMeasure("short_event_peak", "peak of short events", 2, "events"),
    ShownMeasure("long_event_peak", "peak of long events", 2, "events"),
    ShownMeasure("blur", "blur (frames)", 2, "events"),
    ShownMeasure("collapse", "collapse", 2),
    ShownMeasure("entropy_per_frame", "frame entropy", 2),
    ShownMeasure("f_measure", "F of Y_mod", 3),
    ShownMeasure("onset_error_ms", "onset error (ms)", 1, "matched_notes"),
    ShownMeasure("note_onset_f", "note F", 3),
)
"""Measures in the order of the columns; those without a value in any row are left out."""

NOTES = ("matched_notes", "strong_notes")
"""Counts that stand beside the means over matched notes."""


@dataclass(frozen=True)
class Overview:
    """Numbers of I items by G gammas, small enough for a hundred thousand items.

    Attributes:
        ids: ids of all items, in the order of the rows, (I,).
        failed: why an item has no results, by its place in `ids`.
        gammas: ascending, (G,).
        frames: N of each item, (I,), 0 for failed ones.
        targets: M of each item, (I,), 0 for failed ones.
        events: events of each weak target, (I,), 0 for failed items.
        lost: events under the threshold, (G, I), NaN where not known.
        measures: those of `SHOWN` and `NOTES` that a row knows, (G, I), NaN where not known.
        word: what an event is called, "event" or "label".
    """

    ids: list[str]
    failed: dict[int, str]
    gammas: list[float]
    frames: NDArray[np.int64]
    targets: NDArray[np.int64]
    events: NDArray[np.int64]
    lost: NDArray[np.float64]
    measures: dict[str, NDArray[np.float64]]
    word: str = "event"

    @classmethod
    def of(cls, rows: Iterable[Row], word: str = "event") -> "Overview":
        """Read the rows once; those of one item follow each other."""
        ids: list[str] = []
        failed: dict[int, str] = {}
        sizes: dict[str, array[int]] = {name: array("q") for name in ("N", "M", "events")}
        names = (LOST, *(each.name for each in SHOWN), *NOTES)
        at: dict[float, tuple[array[int], array[float]]] = {}
        for row in rows:
            if not ids or ids[-1] != row["id"]:
                ids.append(row["id"])
                for name, column in sizes.items():
                    column.append(int(row.get(name) or 0))
            if row.get("status") == "failed":
                failed[len(ids) - 1] = row.get("error") or ""
                continue
            gamma = float(row["gamma"])
            if gamma not in at:
                at[gamma] = array("q"), array("d")
            places, values = at[gamma]
            places.append(len(ids) - 1)
            values.extend([math.nan if (value := row.get(name)) is None else value for name in names])
        gammas = sorted(at)
        measured = np.full((len(names), len(gammas), len(ids)), math.nan)
        for g, gamma in enumerate(gammas):
            places, values = at[gamma]
            measured[:, g, places] = np.reshape(values, (-1, len(names))).T
        lost, *shown = measured
        return cls(
            ids,
            failed,
            gammas,
            np.array(sizes["N"], np.int64),
            np.array(sizes["M"], np.int64),
            np.array(sizes["events"], np.int64),
            lost,
            {
                name: values
                for name, values in zip(names[1:], shown, strict=True)
                if not np.isnan(values).all()
            },
            word,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def at_risk(self) -> NDArray[np.int64]:
        """Events at risk of each item: those under the threshold at the gamma that loses most, (I,)."""
        if not self.gammas:
            return np.zeros(len(self), np.int64)
        return np.asarray(np.nan_to_num(self.lost).max(axis=0), np.int64)

    def by_risk(self) -> list[int]:
        """Return places of the items that have results, most events at risk first."""
        done = np.ones(len(self), bool)
        done[list(self.failed)] = False
        order = np.lexsort((np.arange(len(self)), -np.nan_to_num(self.lost).sum(axis=0), -self.at_risk))
        return [int(i) for i in order if done[i]]

    def pooled(self, shown: ShownMeasure, g: int) -> float | None:
        """Average a measure over items, each weighed by its weight; None if not known."""
        values = self.measures.get(shown.name)
        if values is None:
            return None
        weights = {
            "items": np.ones(len(self)),
            "events": self.events.astype(np.float64),
            "matched_notes": self._notes("matched_notes")[g],
        }[shown.weight]
        known = ~np.isnan(values[g]) & (weights > 0)
        return float(np.average(values[g][known], weights=weights[known])) if known.any() else None

    def notes(self, g: int) -> tuple[int, int]:
        """Return how many notes match of how many notes of strong targets, over all items."""
        matched, strong = (int(self._notes(name)[g].sum()) for name in NOTES)
        return matched, strong

    def _notes(self, name: str) -> NDArray[np.float64]:
        counts = self.measures.get(name)
        return np.zeros(self.lost.shape) if counts is None else np.nan_to_num(counts)
