"""The matrix of local costs, which alignments never hold: for pictures of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens import cost_matrix


def local_costs(x: NDArray[Any], y: NDArray[Any], cost: str) -> NDArray[np.float64]:
    """Return C(n,m) = c(x_n, y_m) of a named cost, as `warplens.align` charges it.

    Args:
        x: predictions, (N, D).
        y: targets, (M, D).
        cost: one of the names that `warplens.align` takes.

    Returns:
        (N, M) float64, see `warplens.cost_matrix`.

    Raises:
        ValueError: the shapes do not fit, or the cost is unknown.
    """
    return cost_matrix(x, y, cost=cost, dtype=np.float64)
