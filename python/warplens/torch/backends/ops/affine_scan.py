"""Scans along the last axis in the linear domain: e(n) = q(n) e(n+1) + s(n) with e(L) = 0, line after line.

q is known for many lines at once, s when its line comes. The line is cut into groups, these into groups of
groups, and so once more. Within a group of R entries the solution is a small triangular matrix,

    e = P s + c e(next group),     P(i,j) = q(i) ... q(j-1) for j >= i,     c(i) = q(i) ... q(R-1),

and the heads of all groups obey the same recursion, with c(0) for q. All P and c are made beforehand; a line
is three products of matrices up the levels and two multiplications down, whatever its length. With about
(L/8)^(1/3) entries in a group, P is a few times the size of a line.

Probabilities q in [0, 1] and s >= 0 neither cancel nor overflow, and nothing is divided.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class AffineScan:
    """Scan of lines (B,L) of one size.

    Args:
        like: (B,L), a line of that size, dtype and device.
    """

    def __init__(self, like: Tensor) -> None:
        self._batch, self._length = like.shape
        self._sizes = _group_sizes(self._length)
        _, second, third = self._sizes
        self._behind = [
            torch.ones(size, size + 1, dtype=torch.bool, device=like.device).triu(1) for size in self._sizes
        ]
        self._s = like.new_zeros((self._batch, self.padded_length))
        self._local = torch.empty_like(self._s)
        # The head behind the last group is 0.
        self._heads = like.new_zeros((self._batch, second * third + 1))
        self._heads_of_heads = like.new_zeros((self._batch, third + 1))

    @property
    def padded_length(self) -> int:
        """The length L, or more, so that groups are full."""
        first, second, third = self._sizes
        return first * second * third

    @property
    def s(self) -> Tensor:
        """(B,L), to be filled before `solve`."""
        return self._s[:, : self._length]

    def prepare(self, q: Tensor) -> list[Tensor]:
        """Return P and c beside each other, (K,B,groups,R,R+1) for each level.

        Args:
            q: (K,B,L); the last entry leads nowhere and may be left out.
        """
        lines = q.new_zeros((*q.shape[:-1], self.padded_length))
        lines[..., : q.shape[-1]] = q
        levels = []
        for size, behind in zip(self._sizes, self._behind, strict=True):
            lines = _products(lines.view(*lines.shape[:-1], -1, size), behind)
            levels.append(lines)
            lines = lines[..., 0, -1]
        return levels

    def solve(self, prepared: Sequence[Tensor], line: int, out: Tensor) -> None:
        """Write e (B,padded length), contiguous, of one of the prepared lines; behind L it is 0."""
        first, second, third = self._sizes
        groups = second * third
        P, P_of_heads, P_of_heads_of_heads = (level[line] for level in prepared)
        torch.bmm(_matrices(P), self._s.view(-1, first, 1), out=self._local.view(-1, first, 1))
        heads = self._local.view(-1, second, first)[..., :1]
        local_heads = torch.bmm(_matrices(P_of_heads), heads)
        heads = local_heads.view(-1, third, second)[..., :1]
        torch.bmm(_matrices(P_of_heads_of_heads), heads, out=self._heads_of_heads[:, :-1, None])
        torch.addcmul(
            local_heads.view(-1, third, second),
            P_of_heads[..., -1],
            self._heads_of_heads[:, 1:, None],
            out=self._heads[:, :-1].view(-1, third, second),
        )
        torch.addcmul(
            self._local.view(-1, groups, first),
            P[..., -1],
            self._heads[:, 1:, None],
            out=out.view(-1, groups, first),
        )


def _group_sizes(length: int) -> tuple[int, int, int]:
    """Return the sizes of groups on the three levels; their product is at least the length of a line."""
    # Least memory of P: L R1 numbers, and (L/R1) R2 and (L/R1/R2)^2 of heads.
    first = max(1, int((length / 8) ** (1 / 3)))
    groups = -(-length // first)
    second = int((2 * groups) ** (1 / 3))
    return first, second, -(-groups // second)


def _products(q: Tensor, behind: Tensor) -> Tensor:
    """Return (...,R,R+1) the products of q (...,R) from i up to before j: 1 at j = i, and 0 before.

    Args:
        q: a group's factors.
        behind: (R,R+1), True where j > i.
    """
    shifted = q.new_ones((*q.shape[:-1], 1, q.shape[-1] + 1))
    shifted[..., 0, 1:] = q
    return torch.where(behind, shifted, 1.0).cumprod_(-1).triu_()


def _matrices(P: Tensor) -> Tensor:
    """Return P alone, (B*groups,R,R)."""
    return P.flatten(0, 1)[..., :-1]
