"""The table of all items as data in the page, by column: a script there sorts and filters it."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.report.addresses import displayed
from warplens.analysis.report.gamma_summary import heading_of
from warplens.analysis.report.overview import NOTES, SHOWN, Overview, ShownMeasure


def item_table_json(overview: Overview, pages: Mapping[int, str]) -> str:
    """Write JSON that may stand inside a script element.

    Args:
        overview: overview of all items.
        pages: address of an item's part of the report, by its place in `overview.ids`.
    """
    table = {
        "gammas": [format(gamma, "g") for gamma in overview.gammas],
        "ids": [displayed(item_id) for item_id in overview.ids],
        "frames": overview.frames.tolist(),
        "targets": overview.targets.tolist(),
        "word": overview.word,
        "events": overview.events.tolist(),
        "risk": overview.at_risk.tolist(),
        "lost": [_numbers(lost, 0) for lost in overview.lost],
        "measures": [
            {
                "name": shown.name,
                "heading": heading_of(shown, overview),
                "decimals": shown.decimals,
                "values": [_numbers(values, shown.decimals) for values in overview.measures[shown.name]],
                **_notes(overview, shown),
            }
            for shown in SHOWN
            if shown.name in overview.measures
        ],
        "failed": {i: displayed(reason) for i, reason in overview.failed.items()},
        "pages": dict(pages),
    }
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
    # No name may end the script element; < stands in strings only, where this is the same.
    return text.replace("<", "\\u003c")


def _notes(overview: Overview, shown: ShownMeasure) -> dict[str, Any]:
    """Return the matched notes and the notes of strong targets, where a measure is a mean over the former."""
    if shown.weight != "matched_notes" or not overview.measures.keys() >= set(NOTES):
        return {}
    return {"notes": [[_numbers(counts, 0) for counts in overview.measures[name]] for name in NOTES]}


def _numbers(values: NDArray[np.float64], decimals: int) -> list[Any]:
    if decimals == 0:
        return [None if value != value else int(value) for value in values.tolist()]
    return [None if value != value else value for value in np.round(values, decimals).tolist()]
