"""Sums along the rows and columns of a soft alignment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Marginals:
    """Of H~ (N, M), n and m from 0.

    Attributes:
        masses: sum_n H~(n,m), the frames that each target holds, (M,); they add up to N.
        path: sum_m H~(n,m) m, the expected warping path: where each frame lies in the mean, (N,).
        frame_entropy: -sum_m H~(n,m) log H~(n,m) in nats, (N,); 0 for a frame that lies on one target.
    """

    masses: NDArray[np.float64]
    path: NDArray[np.float64]
    frame_entropy: NDArray[np.float64]
