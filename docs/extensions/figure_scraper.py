"""Pictures of figures that a block of an example ends with: those of warplens are unknown to pyplot."""

from typing import Any
from weakref import WeakSet

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

SAVED: WeakSet[Figure] = WeakSet()
"""Figures whose pictures are made: an expression stays the last one until another follows."""


def returned_figures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figure that the last expression of a block is, or that its axes belong to."""
    last = block_vars["example_globals"].get("___")
    figure = last.figure if isinstance(last, Artist) and not isinstance(last, Figure) else last
    if not isinstance(figure, Figure) or figure in SAVED:
        return ""
    SAVED.add(figure)
    if figure.canvas.manager is not None:
        return ""  # pyplot knows it
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=120, bbox_inches="tight")
    return str(figure_rst([path], gallery_conf["src_dir"]))
