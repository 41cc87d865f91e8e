"""What modified targets must keep, and how far those of a look come."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.metrics.events import short_and_long
from warplens.training.inspection import Look


@dataclass(frozen=True)
class Limits:
    """What modified targets must keep.

    Attributes:
        least_short_peak: the least mean peak of short events (`short_event_peak` of a `Look`).
        most_blur: the most blur in frames; None: any.
    """

    least_short_peak: float
    most_blur: float | None

    def share_kept(self, found: Look, short: NDArray[np.bool_] | None = None) -> float:
        """How far the targets come, 1 or more where they keep the limits, NaN where that is not known.

        Args:
            found: a look.
            short: which events of all its probes count as short, (K,); None: those that are short in it.
        """
        share = short_peak(found, short) / self.least_short_peak
        if self.most_blur is not None:
            blur = found.measures["blur"]
            share = min(share, self.most_blur / blur if blur > 0 else math.inf)
        return share


def short_events(found: Look) -> NDArray[np.bool_]:
    """Which events of all probes together are short at the gamma of a look, (K,)."""
    return short_and_long(_of_all(found, "duration"))[0]


def short_peak(found: Look, short: NDArray[np.bool_] | None = None) -> float:
    """Mean peak of these events, (K,), in a look; None: of those that are short in it."""
    if short is None:
        return found.measures["short_event_peak"]
    return float(np.mean(_of_all(found, "peak")[short]))


def _of_all(found: Look, name: str) -> NDArray[Any]:
    return np.concatenate([getattr(each.levels, name) for each in found.targets])
