"""The pictures of an item, OUT/figures/<id>.targets.png, .alignments.png and .events.png."""

import hashlib
from pathlib import Path

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.corpus.inputs.source import check_id
from warplens.io import Item


def key_with_figures(key: str, item: Item) -> str:
    """The key of an item whose pictures are among its results: the scale of their axes counts too."""
    return hashlib.sha256(f"{key} figures {item.fps} {item.lowest_pitch}".encode()).hexdigest()[:40]


def has_figures(out: Path, item_id: str) -> bool:
    """Whether the first picture of an item is there."""
    return _path(out, item_id, "targets").is_file()


def remove_figures(out: Path, item_id: str) -> None:
    """Leave none of an item's pictures."""
    for name in ("targets", "alignments", "events"):
        _path(out, item_id, name).unlink(missing_ok=True)


def _path(out: Path, item_id: str, name: str) -> Path:
    return out / "figures" / f"{check_id(item_id)}.{name}.png"


def write_figures(out: Path, item_id: str, item: Item, analysis: ItemAnalysis) -> None:
    """Draw an item.

    Raises:
        OSError: the pictures cannot be written.
    """
    # Whoever wants no pictures need not have matplotlib.
    from warplens.analysis import display

    display.write_figures(out / "figures", item_id, item, analysis)
