"""The figures of an item, OUT/figures/<id>.targets.png, .alignments.png and .events.png."""

import hashlib
from pathlib import Path

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.corpus.inputs.source import check_id
from warplens.io import Item

_FORMAT = 2
"""Version of the figures, raised when the same item and settings give others: older ones are drawn again."""


def key_with_figures(key: str) -> str:
    """Return the key of results with figures."""
    return hashlib.sha256(f"{key} figures {_FORMAT}".encode()).hexdigest()[:40]


def has_figures(out: Path, item_id: str) -> bool:
    """Return True if the first figure of an item exists."""
    return _path(out, item_id, "targets").is_file()


def remove_figures(out: Path, item_id: str) -> None:
    """Remove the figures of an item."""
    for name in ("targets", "alignments", "events"):
        _path(out, item_id, name).unlink(missing_ok=True)


def _path(out: Path, item_id: str, name: str) -> Path:
    return out / "figures" / f"{check_id(item_id)}.{name}.png"


def write_figures(out: Path, item_id: str, item: Item, analysis: ItemAnalysis) -> None:
    """Draw and write the figures of an item.

    Raises:
        OSError: they cannot be written.
    """
    # Here, not above: a run without figures needs no matplotlib.
    from warplens.analysis import display

    display.write_figures(out / "figures", item_id, item, analysis)
