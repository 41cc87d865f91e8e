"""Limits that modified targets are to keep, and how near those of an inspection come to them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.metrics.events import short_and_long
from warplens.training.inspection import Inspection


@dataclass(frozen=True)
class Limits:
    """Limits of modified targets.

    Attributes:
        least_short_peak: the least mean peak of short events (`short_event_peak` of an `Inspection`).
        most_blur: the most blur in frames; None: any.
    """

    least_short_peak: float
    most_blur: float | None

    def share_kept(self, inspection: Inspection, short: NDArray[np.bool_] | None = None) -> float:
        """Return how near the targets come to the limits.

        It is 1 or more where they keep them, NaN where that is not known.

        Args:
            inspection: inspection of the probes.
            short: which events of all its probes count as short, (K,); None: those that are short in the
                inspection.
        """
        share = short_peak(inspection, short) / self.least_short_peak
        if self.most_blur is not None:
            blur = inspection.measures["blur"]
            share = min(share, self.most_blur / blur if blur > 0 else math.inf)
        return share


def short_events(inspection: Inspection) -> NDArray[np.bool_]:
    """Mark the events of all probes together that are short at the gamma of an inspection, (K,)."""
    return short_and_long(_of_all(inspection, "duration"))[0]


def short_peak(inspection: Inspection, short: NDArray[np.bool_] | None = None) -> float:
    """Return the mean peak of the marked events, (K,), None: of those that are short in the inspection."""
    if short is None:
        return inspection.measures["short_event_peak"]
    return float(np.mean(_of_all(inspection, "peak")[short]))


def _of_all(inspection: Inspection, name: str) -> NDArray[Any]:
    return np.concatenate([getattr(each.levels, name) for each in inspection.targets])
