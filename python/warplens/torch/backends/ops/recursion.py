"""The soft-DTW recursion and its derivatives over a padded batch of cost matrices, in torch operations.

An anti-diagonal sweep would need N+M-1 rounds of small operations. Here the shorter axis is looped over and
the longer one scanned, by a number of operations that does not depend on its length: for one index of the
shorter axis, the recursion

    a(n,m) = k_h(n,m) a(n-1,m) + [k_v(n,m) a(n,m-1) + k_d(n,m) a(n-1,m-1)],
    a = exp(-D/g),   k_s = exp(-w_s C/g)

is linear and of first order in the longer axis. Forward it is scanned in logs (`log_scan`; where costs forbid
cells by themselves, in a number of operations that grows with the logarithm of the length). Backward, the
probability E of visiting a cell,

    E(n,m) = p_h(n+1,m) E(n+1,m) + [p_v(n,m+1) E(n,m+1) + p_d(n+1,m+1) E(n+1,m+1)],   E(N,M) = 1,

is scanned in the linear domain (`affine_scan`), never through log p, which is -inf as soon as one p
underflows.

All that needs no neighbour is done for a block of lines at once. Of each block, only log a of the line before
it is kept on the way up; on the way down it is computed anew, handed to `receive`, and forgotten, so that no
array of all cells is needed. Small problems keep log a of all lines instead, which saves the second scan.

Letters: B pairs, L the longer padded side, K lines of a block. Tensors over cells are (K,B,L) here, over
steps and cells (3,K,B,L). Steps are stacked in the order diagonal, horizontal, vertical: the order that
settles ties at gamma = 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from warplens.torch.backends.ops.affine_scan import AffineScan
from warplens.torch.backends.ops.grid import DIAGONAL, Grid
from warplens.torch.backends.ops.log_scan import DoublingScan, SummedScan
from warplens.torch.backends.ops.softmin import SoftMaximum, is_proper

Receive: TypeAlias = Callable[[slice, Tensor, Tensor], None]
"""lines, H (K,B,L) dSDTW/dC, E (K,B,L) probability of visiting a cell; 0 outside a pair or off every path."""

_KEPT_CELLS = 2**21


@dataclass(frozen=True)
class Moments:
    """Entropy and mean costs by step of the distribution of paths."""

    entropy: Tensor  # (B,), -dSDTW/dgamma
    step_weights_grad: Tensor  # (B,3) horizontal, vertical, diagonal


@dataclass(frozen=True)
class Recursion:
    """The sweeps over one grid."""

    grid: Grid
    softmax: SoftMaximum
    rates: Tensor  # (3,1,1,1), -w/g
    up: SummedScan | DoublingScan
    down: AffineScan

    @classmethod
    def of(cls, grid: Grid, gamma: Tensor, step_weights: Tensor) -> "Recursion":
        """Return the sweeps for step weights horizontal, vertical, diagonal; bad ones make every pair NaN."""
        device = grid.batch_shape.device
        weights = step_weights.to(device, non_blocking=True).roll(1)
        weights = weights.masked_fill(~is_proper(weights).all(), torch.nan)
        softmax = SoftMaximum(gamma, device)
        like = torch.empty(grid.shape[1:], dtype=torch.float64, device=device)
        return cls(
            grid,
            softmax,
            -(weights / softmax.scale).view(3, 1, 1, 1),
            DoublingScan(like, softmax) if grid.has_gaps else SummedScan(like, softmax),
            AffineScan(like),
        )

    def border(self) -> Tensor:
        """Return log a (B,1+L) before the first line, a border entry in front: a(0,0) = 1, the rest 0."""
        _, batch, length = self.grid.shape
        border = self.rates.new_full((batch, 1 + length), -torch.inf)
        border[:, 0] = 0.0
        return border

    def log_factors(self, costs: Tensor) -> Tensor:
        """Return log k (3,K,B,L) of costs (K,B,L)."""
        forbidden = costs == torch.inf
        return (self.rates * costs.masked_fill(forbidden, 0.0)).masked_fill_(forbidden, -torch.inf)

    def overflows(self, costs: Tensor) -> Tensor:
        """Return (B,), True where a cost of (K,B,L) is out of range, which leaves a gap where none may be."""
        return (self.rates.amin() * costs == -torch.inf).any(2).any(0)

    def accumulate(self, k: Tensor, before: Tensor) -> Tensor:
        """Return log a (1+K,B,1+L): the line before, then the block; a border entry in front of each."""
        log_a = before.new_full((1 + k.shape[1], *before.shape), -torch.inf)
        log_a[0] = before
        prepared = self.up.prepare(k[self.grid.along])
        arriving = k[DIAGONAL : self.grid.across + 1 : self.grid.across]  # (2,K,B,L)
        length = k.shape[-1]
        for index in range(k.shape[1]):
            diagonal, across = arriving[:, index] + log_a[index].unfold(1, length, 1).transpose(0, 1)
            self.softmax.combine(across, diagonal, out=self.up.b)
            self.up.solve(prepared, index, out=log_a[index + 1, :, 1:])
        return log_a

    def probabilities(self, k: Tensor, log_a: Tensor) -> Tensor:
        """Return p (3,K,B,L); k is overwritten."""
        k[DIAGONAL].add_(log_a[:-1, :, :-1])
        k[self.grid.across].add_(log_a[:-1, :, 1:])
        k[self.grid.along].add_(log_a[1:, :, :-1])
        return self.softmax.probabilities(k)

    def visits(self, p: Tensor, ends: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Return E (K,B,L) of a block, and its contribution (B,L) to the line before.

        Args:
            p: (3,K,B,L).
            ends: (K,B,L or more), contiguous, 1 where a path ends, else 0; overwritten.
            after: (B,L), the contribution of the next block to the last line.
        """
        prepared = self.down.prepare(p[self.grid.along, ..., 1:])
        E = ends[..., : p.shape[-1]]
        for index in reversed(range(len(E))):
            torch.add(E[index], after, out=self.down.s)
            self.down.solve(prepared, index, out=ends[index])
            after = p[self.grid.across, index] * E[index]
            after[:, :-1].addcmul_(p[DIAGONAL, index, :, 1:], E[index, :, 1:])
        return E, after

    def ends_in(self, lines: slice, value: Tensor) -> Tensor:
        """Return (K,B,L or more), 1 where a pair with a path ends."""
        line, inside = self._place(lines)
        batch = self.grid.batch_shape.batch
        ends = value.new_zeros((lines.stop - lines.start, batch, self.down.padded_length))
        pair = torch.arange(batch, device=value.device)
        ends[line, pair, self.grid.ends[1]] = (inside & (value != torch.inf)).to(value.dtype)
        return ends

    def at_ends(self, lines: slice, log_a: Tensor, otherwise: Tensor) -> Tensor:
        """Return log a (B,) where a pair ends, for those that end in the block."""
        line, inside = self._place(lines)
        pair = torch.arange(len(otherwise), device=otherwise.device)
        return torch.where(inside, log_a[line + 1, pair, self.grid.ends[1] + 1], otherwise)

    def _place(self, lines: slice) -> tuple[Tensor, Tensor]:
        """Return the line of the block in which each pair ends, and True where it ends in this block."""
        line = self.grid.ends[0] - lines.start
        last = lines.stop - lines.start - 1
        return line.clamp(0, last), (line >= 0) & (line <= last)


@torch.no_grad()
def sweep(
    grid: Grid, gamma: Tensor, step_weights: Tensor, receive: Receive | None = None, *, moments: bool = False
) -> tuple[Tensor, Moments | None]:
    """Compute soft DTW of B cost matrices, without a graph.

    Args:
        grid: the matrices.
        gamma: () float64; 0 is hard DTW.
        step_weights: (3,) float64: horizontal, vertical, diagonal.
        receive: takes the soft alignments, the last block first.
        moments: compute these too.

    Returns:
        The values (B,) float64, +inf where there is no path, and the moments (0 where there is no path).
    """
    recursion = Recursion.of(grid, gamma, step_weights)
    shorter, batch, length = grid.shape
    keeps_all = shorter * batch * length <= _KEPT_CELLS
    runs_back = receive is not None or moments
    kept: list[Tensor] = []
    before = recursion.border()
    log_end = before.new_full((batch,), -torch.inf)
    without_path = torch.zeros_like(log_end, dtype=torch.bool)
    for lines in grid.blocks():
        costs = grid.costs_of(lines)
        if not grid.has_gaps:
            without_path |= recursion.overflows(costs)
        k = recursion.log_factors(grid.forbid(lines, costs))
        del costs  # at once: a block is most of the memory
        log_a = recursion.accumulate(k, before)
        del k
        log_end = recursion.at_ends(lines, log_a, log_end)
        if runs_back:
            kept.append(log_a if keeps_all else before)
        before = log_a[-1].clone()
        del log_a
    value = -recursion.softmax.scale * log_end
    value.masked_fill_(without_path & ~value.isnan(), torch.inf)
    if not runs_back:
        return value, None
    del before
    weights = step_weights.to(value, non_blocking=True).roll(1)
    after = value.new_zeros((batch, length))
    total = Moments(value.new_zeros(batch), value.new_zeros((batch, 3)))
    for lines in reversed(grid.blocks()):
        costs = grid.costs(lines)
        k, allowed = recursion.log_factors(costs), costs != torch.inf
        del costs
        log_a = kept.pop() if keeps_all else recursion.accumulate(k, kept.pop())
        p = recursion.probabilities(k, log_a)
        del k, log_a
        E, after = recursion.visits(p, recursion.ends_in(lines, value), after)
        # All of a pair is NaN when its value is, not only what lies before the first NaN on the way back.
        E.masked_fill_(value.isnan()[:, None] & allowed, torch.nan)
        if moments:
            _add_moments(total, p, E, grid.costs(lines))
        H = E * torch.tensordot(weights, p, 1)
        del p
        if receive is not None:
            receive(lines, H, E)
        del E, H
    return value, total if moments else None


def _add_moments(total: Moments, p: Tensor, E: Tensor, costs: Tensor) -> None:
    total.entropy.sub_((E * torch.xlogy(p, p).sum(0)).sum((0, 2)))
    paid = E * costs.masked_fill(costs == torch.inf, 0.0)  # (K,B,L)
    by_step = torch.stack([(step * paid).sum((0, 2)) for step in p], dim=1)  # diagonal, horizontal, vertical
    total.step_weights_grad.add_(by_step.roll(-1, 1))
