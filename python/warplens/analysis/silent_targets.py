"""Target frames without activity under costs to which silence is free, and what they do to an alignment."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.percent import percent

COSTS_BLIND_TO_SILENCE = ("ce", "ce_logits")
"""Costs under which a target frame without activity costs nothing, so that it attracts predictions."""


def silence_warning(
    cost: str, silent: float, drawn: NDArray[np.float64], gammas: Sequence[float] | NDArray[np.float64]
) -> str | None:
    """Say what silent target frames draw under a cost to which they are free; None if there are none.

    Args:
        cost: name of the local cost.
        silent: share of the target frames that have no activity.
        drawn: share of the soft alignment on them, (G,).
        gammas: (G,).
    """
    if cost not in COSTS_BLIND_TO_SILENCE or silent == 0:
        return None
    worst = int(np.argmax(drawn))
    return (
        f"under {cost} a target frame without activity costs nothing: such frames are {percent(silent)} "
        f"of the target, and draw {percent(drawn[worst])} of the soft alignment at gamma {gammas[worst]:g}; "
        "try bce"
    )
