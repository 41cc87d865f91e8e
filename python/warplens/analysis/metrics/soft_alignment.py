"""Measures of a soft alignment by itself that the compiled module does not take over several items."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_MASS = 0.5
"""A target that holds less than this share of one prediction frame counts as collapsed."""


def share_of_collapsed_targets(masses: NDArray[Any]) -> float:
    """Return the share of the targets m that hold less than half a frame, sum_n H~(n,m) < 0.5.

    The sums add up to N, so a target that is passed over has left its frames to others.

    Args:
        masses: sum_n H~(n,m) of each target, (M,).
    """
    return int(np.count_nonzero(masses < LEAST_MASS)) / len(masses)
