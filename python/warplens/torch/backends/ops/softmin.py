"""The softmin of the recursion and its hard limit, in units of -cost/gamma."""

import torch
from torch import Tensor

LEAST_GAMMA = 1e-200
"""A smaller one, but for 0, counts as this: costs over it stay in range, and ties still split."""

_NEGLIGIBLE = 40.0  # exp(-40) is 4e-18


class SoftMaximum:
    """log sum exp, or the maximum where gamma is 0: the recursion sees only this difference.

    Costs enter as `-cost / scale`, with scale = gamma, or 1 where gamma = 0. A gamma that is negative or not
    finite gives scale NaN, so that its pairs become NaN. Where gamma is on the host the choice is made once;
    on a device both limits are computed and the device chooses, so that nothing waits for it.
    """

    def __init__(self, gamma: Tensor, device: torch.device) -> None:
        self._on_host = gamma.device.type == "cpu"
        self._is_hard = bool(gamma == 0) if self._on_host else False
        gamma = gamma.to(device, non_blocking=True)
        self._soft = gamma > 0
        scale = torch.where(self._soft, gamma.clamp(min=LEAST_GAMMA), 1.0)
        self.scale = scale.masked_fill(~is_proper(gamma), torch.nan)

    def combine(self, a: Tensor, b: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Return log(exp a + exp b), or max(a, b)."""
        if self._on_host:
            return torch.maximum(a, b, out=out) if self._is_hard else torch.logaddexp(a, b, out=out)
        return torch.where(self._soft, torch.logaddexp(a, b), torch.maximum(a, b), out=out)

    def accumulate(self, b: Tensor, T: Tensor, *, out: Tensor) -> Tensor:
        """Combine b(j) + T(n) - T(j) of all j up to n, along the last axis."""
        lifted = b - T
        if self._on_host and not self._is_hard:
            return torch.logcumsumexp(lifted, -1, out=out).add_(T)
        # Read where it stands: lifted and let down again, b would lose its last digits, and ties with them.
        best = torch.cummax(lifted, -1).indices
        greatest = b.gather(-1, best) + (T - T.gather(-1, best))
        if self._on_host:
            return out.copy_(greatest)
        return torch.where(self._soft, torch.logcumsumexp(lifted, -1) + T, greatest, out=out)

    def negligible(self, size: Tensor) -> Tensor:
        """Return a distance below which a term adds nothing; in the hard limit, beyond errors of a `size`."""
        if self._on_host and not self._is_hard:
            return torch.full_like(size, _NEGLIGIBLE)
        beyond_errors = 2.0**-40 * size
        return beyond_errors if self._on_host else torch.where(self._soft, _NEGLIGIBLE, beyond_errors)

    def probabilities(self, z: Tensor) -> Tensor:
        """Return the probabilities of the steps from z (3, ...), with sum 1 over the first axis, or all 0.

        In the hard limit the first of the greatest has probability 1, so the order of z settles ties.
        """
        if self._on_host:
            p = self._first_greatest(z) if self._is_hard else torch.softmax(z, dim=0)
        else:
            p = torch.where(self._soft, torch.softmax(z, dim=0), self._first_greatest(z))
        return p.masked_fill_(z.amax(dim=0) == -torch.inf, 0.0)

    @staticmethod
    def _first_greatest(z: Tensor) -> Tensor:
        return torch.zeros_like(z).scatter(0, z.argmax(dim=0, keepdim=True), 1.0)


def is_proper(number: Tensor) -> Tensor:
    """Return True where gamma or step weights are in range."""
    return (number >= 0) & number.isfinite()
