"""Contrast of predictions: do they rise where something is taught?"""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from warplens.training.inspection import ProbeTargets, inspect_targets
from warplens.training.loss_lenses import InspectedLoss, levels_of, without_blank
from warplens.training.probes import Probes

_HARD_GAMMA = 1e-6
"""Gamma at which the best alignment alone counts: soft ones lean to the predictions, so noise would seem to
know."""

_LEAST_VARIANCE = 1e-9
"""Sum of squares of the changes of Y_mod below which they are rounding errors."""


def contrast(loss: InspectedLoss, probes: Probes, *, predictions: Sequence[Tensor] | None = None) -> float:
    r"""Measure how much predictions rise where something is taught, as a share of what they should.

    .. math::
        \frac{\sum_{n,d} p(n)\, (\hat y(n,d) - \bar y(d))\, x(n,d)}
             {\sum_{n,d} p(n)\, (\hat y(n,d) - \bar y(d))^2}

    the slope of the regression of the predictions x on the modified targets of their best alignment, within
    each class or feature of a probe; blanks do not count. p(n) is the probability that frame n lies on a
    target, by which the means are weighed too, and x is on the scale of the targets: of logits the
    probabilities.

    It is 1 where predictions are their targets and 0 where they are constant in time, however often a class
    occurs. So it tells without strong targets whether a network has begun to learn when events are. Noise has
    some contrast too, up to 0.2 where few frames are inspected: it is aligned where it fits best. Predictions
    that are sure and wrong have more.

    Args:
        loss: a loss of the family; its gamma does not count.
        probes: network and items.
        predictions: predictions of each probe, (N,D); None asks the network.

    Returns:
        The contrast of all probes together; NaN where no modified target changes in time or no probe has
        finite predictions and a path.

    Raises:
        ValueError: as `inspect_targets`.
    """
    covariance, variance = 0.0, 0.0
    for each in inspect_targets(loss, probes, predictions=predictions, gamma=_HARD_GAMMA).targets:
        of_probe = _changes(loss, each)
        covariance, variance = covariance + of_probe[0], variance + of_probe[1]
    return covariance / variance if variance > _LEAST_VARIANCE else math.nan


def _changes(loss: InspectedLoss, targets: ProbeTargets) -> tuple[float, float]:
    """Return the covariance of predictions and Y_mod and the variance of Y_mod, as sums over a probe."""
    # In float64, for rates may be too large for float32.
    x = targets.predictions.astype(np.float64)
    rolls = (targets.y_mod.astype(np.float64), levels_of(loss, targets.probe, x))
    y_mod, levels = without_blank(loss, targets.probe, x, *rolls)
    presence = np.ones(len(x)) if targets.presence is None else targets.presence.astype(np.float64)
    if not presence.any():
        return 0.0, 0.0
    change = y_mod - presence @ y_mod / presence.sum()
    return float(presence @ (change * levels).sum(axis=1)), float(presence @ (change * change).sum(axis=1))
