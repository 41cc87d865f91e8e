"""Sums along the rows and columns of a soft alignment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Marginals:
    """Marginals of H~ (N, M), n and m from 0; of G alignments with a leading axis of gammas.

    Attributes:
        masses: sum_n H~(n,m), the frames that each target holds, (M,); they add up to N.
        path: sum_m H~(n,m) m, the expected warping path: where each frame lies in the mean, (N,).
        frame_entropy: -sum_m H~(n,m) log H~(n,m) in nats, (N,); 0 for a frame that lies on one target.
    """

    masses: NDArray[np.float64]
    path: NDArray[np.float64]
    frame_entropy: NDArray[np.float64]

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Self:
        """Read what the compiled module returns, (G, ...)."""
        return cls(result["masses"], result["path"], result["frame_entropy"])
