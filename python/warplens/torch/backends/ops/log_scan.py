"""Scans along the last axis in logs: a(n) = combine(k(n) + a(n-1), b(n)) with a(-1) = -inf, line after line.

k is known for many lines at once, b when its line comes. Here combine is log(exp . + exp .), or the maximum
in the hard limit. Two scans solve the recursion:

`DoublingScan` composes pairs, (k1, b1) o (k2, b2) = (k1 + k2, combine(b1 + k2, b2)), in log2(L) rounds.
Nothing is ever subtracted, so k = -inf cuts a run wherever it stands.

`SummedScan` takes a number of operations that does not depend on L, where the open entries of a line, those
with k > -inf, are an interval. With the sums S(n) = k(0) + ... + k(n) it is

    a = S + combine of all (b - S) up to n.

But S swallows what is small beside it: frames far from each other make |S| hundreds of times |a|. So sums are
taken twice. The first, with the maximum,

    G = S + maximum of all (b - S) up to n,     G <= a <= G + log(n+1),

may be rounded as they like. The second are those of the k measured against it,

    T = G + sum of all max(k(n) - G(n) + G(n-1), -c) up to n,     a = T + combine of all (b - T) up to n.

T grows by k, as S does, but where a run arrives with less than exp(-c) of what it meets there; and as no
term is positive and none below -c, T is within c L of a. With c = 40 errors are those of numbers of the size
of a and of 40 L, however much is paid beside the path. In the hard limit c need only be more than the errors
of G.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from warplens.torch.backends.ops.softmin import SoftMaximum

_NOTHING = -1e300  # a finite stand-in for -inf, which could not be subtracted


class DoublingScan:
    """Scan of lines (B,L) in which any entry may be closed.

    The rounds go between two buffers whose margin holds the neutral element, so nothing is cut or joined.

    Args:
        like: (B,L), a line of that size, dtype and device.
        softmax: how entries combine.
    """

    def __init__(self, like: Tensor, softmax: SoftMaximum) -> None:
        batch, length = like.shape
        self._shifts = [1 << exponent for exponent in range((length - 1).bit_length())]
        self._margin = self._shifts[-1] if self._shifts else 0
        self._buffers = [like.new_full((batch, self._margin + length), -torch.inf) for _ in range(2)]
        self._combine = softmax.combine

    @property
    def b(self) -> Tensor:
        """(B,L), to be filled before `solve`: finite or -inf."""
        return self._buffers[0][:, self._margin :]

    def prepare(self, k: Tensor) -> list[Tensor]:
        """Return for each shift d the sums of k (K,B,L) over the run of d entries that ends at an entry."""
        sums = [k]
        for half in self._shifts[:-1]:
            longer = sums[-1].clone()
            longer[..., half:].add_(sums[-1][..., :-half])
            sums.append(longer)
        return sums

    def solve(self, prepared: Sequence[Tensor], line: int, out: Tensor) -> None:
        """Write a (B,L) of one of the prepared lines."""
        if not self._shifts:
            out.copy_(self.b)
        here, there = self._buffers
        for shift, sums in zip(self._shifts, prepared, strict=False):
            target = out if shift == self._shifts[-1] else there[:, self._margin :]
            start = self._margin - shift
            earlier = here[:, start : start + out.shape[1]] + sums[line]
            self._combine(earlier, here[:, self._margin :], out=target)
            here, there = there, here


class SummedScan:
    """Scan of lines (B,L) whose open entries are an interval each, with b = -inf where they are closed.

    Args:
        like: (B,L), a line of that size, dtype and device.
        softmax: how entries combine.
    """

    def __init__(self, like: Tensor, softmax: SoftMaximum) -> None:
        batch, length = like.shape
        self._softmax = softmax
        self._b, self._T, self._terms = torch.empty_like(like), torch.empty_like(like), torch.zeros_like(like)
        self._lifted = like.new_full((batch, 1 + length), _NOTHING)  # b - S behind an entry that is nothing
        self._G = torch.empty_like(self._lifted), torch.empty_like(self._lifted, dtype=torch.int64)

    @property
    def b(self) -> Tensor:
        """(B,L), to be filled before `solve`."""
        return self._b

    def prepare(self, k: Tensor) -> list[Tensor]:
        """Return k (K,B,L), its sums, 0 or -inf for open and closed entries, -c and c (K,B,1)."""
        closed = k == -torch.inf
        sums = k.masked_fill(closed, 0.0).cumsum_(-1)
        c = self._softmax.negligible(torch.linalg.vector_norm(sums, torch.inf, -1, keepdim=True))
        return [k, sums, torch.zeros_like(k).masked_fill_(closed, -torch.inf), -c, c]

    def solve(self, prepared: Sequence[Tensor], line: int, out: Tensor) -> None:
        """Write a (B,L) of one of the prepared lines."""
        k, S, closed, least, most = (each[line] for each in prepared)
        b, T, G, terms = self._b, self._T, self._G[0], self._terms[:, 1:]  # the first is 0
        torch.sub(b, S, out=self._lifted[:, 1:])
        torch.cummax(self._lifted, 1, out=self._G)
        G[:, 1:].add_(S)
        torch.sub(G[:, 2:], G[:, 1:-1], out=terms)
        # Only before the interval terms are positive; there is nothing to be found, but T is to stay small.
        torch.sub(k[:, 1:], terms, out=terms).clamp_(least, most)
        torch.cumsum(self._terms, 1, out=T).add_(G[:, 1:])
        # Behind the interval a run would go on.
        self._softmax.accumulate(b, T, out=out).add_(closed)
