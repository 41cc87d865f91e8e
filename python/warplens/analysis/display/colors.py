"""Colours: those of levels break at the threshold, all others are perceptually uniform.

Both read in grey and for the colour-blind: lightness falls from nothing to much, and the break is one from
orange to blue.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, ListedColormap, Normalize

from warplens.analysis.level_colors import LevelScale

CURVE_COLORS = ("#000000", "#0072b2", "#009e73", "#e69f00", "#cc79a7")
"""Colours of unlike things: Okabe and Ito's, which the colour-blind tell apart."""

COST_COLORS = "viridis"
ALIGNMENT_COLORS = "Greys"
PATH_COLOR = "#d55e00"


class LevelNorm(Normalize):
    """Normalisation of levels to the palette entries of the report, with the break at the threshold."""

    def __init__(self, scale: LevelScale) -> None:
        super().__init__(scale.low, scale.high)
        self._scale = scale

    def __call__(self, value: Any, clip: bool | None = None) -> Any:
        """Return the palette entry / 255 of each level."""
        return np.ma.masked_array(self._scale.index(np.asarray(value)) / 255)


def level_colormap(scale: LevelScale) -> Colormap:
    """Return the palette of a scale."""
    return ListedColormap(list(scale.palette() / 255), "levels")


def level_bar(ax: Axes | list[Axes], scale: LevelScale, **options: Any) -> Colorbar:
    """Draw a colour bar beside the axes, with the threshold among its ticks.

    Args:
        ax: axes of one roll, or of several that share the scale.
        scale: colours of the rolls.
        options: further arguments of `Figure.colorbar`.
    """
    first = ax[0] if isinstance(ax, list) else ax
    # On a plain norm, so that the bar is linear.
    mappable = ScalarMappable(Normalize(scale.low, scale.high), level_colormap(scale))
    ticks = sorted({scale.low, min(max(scale.threshold, scale.low), scale.high), scale.high})
    bar = first.figure.colorbar(mappable, ax=ax, **{"label": "level", "ticks": ticks, "pad": 0.01, **options})
    bar.ax.set_yticklabels([format(tick, "g") for tick in ticks])
    return bar


def cost_bar(ax: Axes, **options: Any) -> Colorbar:
    """Draw a colour bar for the picture in an axes, pointed where values lie beyond its end.

    Args:
        ax: axes with a picture, such as those of `cost_matrix`.
        options: further arguments of `Figure.colorbar`.
    """
    image = ax.images[0]
    _, high = image.get_clim()
    shown = image.get_array()
    beyond = high is not None and shown is not None and bool(np.max(shown) > high)
    shape: dict[str, Any] = {"extend": "max"} if beyond else {}
    return ax.figure.colorbar(image, ax=ax, **{"pad": 0.01, **shape, **options})


def line_colors(count: int) -> list[tuple[float, float, float, float]]:
    """Return as many colours from dark to light, dark enough for paper."""
    import matplotlib

    return [tuple(matplotlib.colormaps[COST_COLORS](at)) for at in np.linspace(0.0, 0.8, max(count, 1))]


MARKERS = "os^Dv<>Xph"
"""A marker for each colour, for eyes and printers that see none."""
