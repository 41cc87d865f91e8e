"""OUT/sweep.png: the curves of all items together over gamma (extra `display`)."""

from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.sweep.gamma_sweep import GammaSweep


def draw_sweep(
    path: Path, pooled: GammaSweep | None, *, recommended: float | None, share: float
) -> Path | None:
    """Draw and write the figure; without matplotlib, or anything to draw, remove it and return None.

    Raises:
        OSError: it cannot be written.
    """
    display = _display()
    if display is None or pooled is None or not pooled.gammas.any():
        path.unlink(missing_ok=True)  # an earlier run's
        return None
    softened = pooled.gammas > 0  # the axis is logarithmic

    def curve(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
        return None if np.isnan(values).all() else values[softened]

    figure = display.sweep_figure(
        pooled.gammas[softened],
        kept=curve(pooled.kept),
        short_event_peak=curve(pooled.short_event_peak),
        f_measure=curve(pooled.f_measure),
        lost_to_collapse=curve(pooled.lost_to_collapse / pooled.events) if pooled.events else None,
        share=share,
        blur=curve(pooled.blur),
        entropy=curve(pooled.entropy),
        recommended=recommended or None,
    )
    display.save_figure(path, figure)
    return path


def _display() -> ModuleType | None:
    try:
        from warplens.analysis import display
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        return None
    return display
