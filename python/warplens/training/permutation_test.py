"""Permutation test of whether predictions tell the order of their targets.

An alignment at a low gamma is sharp whatever the predictions are: on those of an untrained network it follows
noise. What is known of time shows elsewhere: predictions that tell where targets are cost less as they are
than moved round in time or played backwards, with the same frames and the same weak targets.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from warplens.training.loss_lenses import InspectedLoss, at_gamma, value_on
from warplens.training.probes import Probe

# Shifts are elevenths of the length: a prime, so that targets that repeat themselves, as measures of music
# do, seldom fall on themselves. They stay away from the ends, where there often is silence to give way.
_PARTS, _SHIFTS = 11, range(2, 10)

_ROUNDING = 1e-6
"""Share of the costs within which two are equal."""


def tells_order(
    loss: InspectedLoss, probes: Sequence[Probe], predictions: Sequence[Tensor], gamma: float
) -> bool:
    """Return whether predictions cost less as they are than moved round in time.

    The costs at this gamma, summed over the probes, must be at most those of each of 17 changed versions, and
    less than theirs on average: predictions moved round by 2/11 to 9/11 of their length, the same backwards,
    and backwards alone. Of predictions that know nothing of time, and are as likely one version as another,
    one set in 18 passes: who asks at many inspections in a row is likely to be told so once.

    Args:
        loss: a loss of the family.
        probes: those to count, each with a path and finite predictions.
        predictions: of each probe, (N,D).
        gamma: gamma at which they are aligned.
    """
    at = at_gamma(loss, gamma)

    def costs(versions: Sequence[Tensor]) -> list[float]:
        return [value_on(at, probe, x) for probe, x in zip(probes, versions, strict=True)]

    own = costs(predictions)
    total, rounding = math.fsum(own), _ROUNDING * math.fsum(map(abs, own))
    changed = []
    for versions in zip(*map(_changed, predictions), strict=True):
        changed.append(math.fsum(costs(versions)))
        if changed[-1] < total - rounding:
            return False
    return math.fsum(changed) / len(changed) > total + rounding


def _changed(x: Tensor) -> Iterator[Tensor]:
    backwards = x.flip(0)
    yield backwards
    for part in _SHIFTS:
        shift = round(part * len(x) / _PARTS)
        yield torch.roll(x, shift, 0)
        yield torch.roll(backwards, shift, 0)
