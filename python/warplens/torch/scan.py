"""Associative scans along the last axis, by doubling: log2(L) rounds of whole-tensor operations.

After the round with shift d, every entry stands for the run of up to 2d entries that ends (in
[`AffineScan`][warplens.torch.scan.AffineScan]: begins) at it. What the coefficients contribute does not
depend on the solution, so `run_sums` and `run_products` make it for many lines at once, and a line costs two
operations a round going up and one coming down. The scans write between two buffers whose margin holds the
neutral element, so nothing is cut, joined or copied.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def shifts(length: int) -> list[int]:
    """1, 2, 4, ... below the length of a line."""
    return [1 << exponent for exponent in range((length - 1).bit_length())]


def run_sums(k: Tensor) -> list[Tensor]:
    """For each shift d, the sums of k (...,L) over the run of d entries that ends at an entry."""
    sums = [k]
    for half in shifts(k.shape[-1])[:-1]:
        longer = sums[-1].clone()
        longer[..., half:] += sums[-1][..., :-half]
        sums.append(longer)
    return sums


def run_products(q: Tensor) -> list[Tensor]:
    """For each shift d, the products of q (...,L) over the run of d entries that begins at an entry."""
    products = [q]
    for half in shifts(q.shape[-1])[:-1]:
        longer = products[-1].clone()
        longer[..., :-half] *= products[-1][..., half:]
        products.append(longer)
    return products


class LogScan:
    """Solves a(n) = combine(k(n) + a(n-1), b(n)) with a(-1) = -inf, for lines (B,L) of one size.

    The pairs compose as (k1, b1) o (k2, b2) = (k1 + k2, combine(b1 + k2, b2)), which takes k = -inf:
    a forbidden entry cuts the run, and nothing is ever subtracted.

    Args:
        like: (B,L), a line of that size, dtype and device.
        combine: `torch.logaddexp`, or `torch.maximum` for its limit; takes `out`.
    """

    def __init__(self, like: Tensor, combine: Callable[..., Tensor]) -> None:
        batch, length = like.shape
        self._shifts = shifts(length)
        self._margin = self._shifts[-1] if self._shifts else 0
        self._buffers = [like.new_full((batch, self._margin + length), -torch.inf) for _ in range(2)]
        self._combine = combine

    @property
    def b(self) -> Tensor:
        """(B,L), to be filled before `solve`: finite or -inf."""
        return self._buffers[0][:, self._margin :]

    def solve(self, sums: Sequence[Tensor], out: Tensor) -> None:
        """Writes a (B,L), given the `run_sums` of k, which is finite or -inf."""
        if not self._shifts:
            out.copy_(self.b)
        here, there = self._buffers
        for shift, sum_ in zip(self._shifts, sums, strict=False):
            is_last = shift == self._shifts[-1]
            target = out if is_last else there[:, self._margin :]
            start = self._margin - shift
            earlier = here[:, start : start + out.shape[1]] + sum_
            self._combine(earlier, here[:, self._margin :], out=target)
            here, there = there, here


class AffineScan:
    """Solves e(n) = q(n) e(n+1) + s(n) with e(L) = 0, in the linear domain, for lines (B,L) of one size.

    The pairs compose as (q1, s1) o (q2, s2) = (q1 q2, s1 q2 + s2); with probabilities q in [0, 1] and s >= 0
    nothing cancels and nothing overflows.

    Args:
        like: (B,L), a line of that size, dtype and device.
    """

    def __init__(self, like: Tensor) -> None:
        batch, self._length = like.shape
        self._shifts = shifts(self._length)
        margin = self._shifts[-1] if self._shifts else 0
        self._buffers = [like.new_zeros((batch, self._length + margin)) for _ in range(2)]

    @property
    def s(self) -> Tensor:
        """(B,L), to be filled before `solve`."""
        return self._buffers[0][:, : self._length]

    def solve(self, products: Sequence[Tensor], out: Tensor) -> None:
        """Writes e (B,L), given the `run_products` of q."""
        if not self._shifts:
            out.copy_(self.s)
        here, there = self._buffers
        for shift, product in zip(self._shifts, products, strict=False):
            target = out if shift == self._shifts[-1] else there[:, : self._length]
            later = here[:, shift : shift + self._length]
            torch.addcmul(here[:, : self._length], product, later, out=target)
            here, there = there, here
