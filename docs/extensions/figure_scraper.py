"""Pictures of figures that a block of an example ends with: those of warplens are unknown to pyplot."""

from typing import Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst


def returned_figures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figure that the last expression of a block is, or that its axes belong to."""
    names = block_vars["example_globals"]
    last = names.pop("___", None)
    figure = last.figure if isinstance(last, Artist) and not isinstance(last, Figure) else last
    if not isinstance(figure, Figure) or hasattr(figure, "number"):
        return ""
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=120, bbox_inches="tight")
    return str(figure_rst([path], gallery_conf["src_dir"]))
