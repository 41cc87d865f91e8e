"""The soft-DTW recursion and its derivatives over a padded batch of cost matrices, in torch operations.

An anti-diagonal sweep would need N+M-1 rounds of small operations. Here the shorter axis is looped over and
the longer one scanned (`warplens.torch.scan`): for one index of the shorter axis, the recursion

    a(n,m) = k_h(n,m) a(n-1,m) + [k_v(n,m) a(n,m-1) + k_d(n,m) a(n-1,m-1)],   a = exp(-D/g), k_s = exp(-w_s
    C/g)

is linear and of first order in the longer axis. Forward it is scanned in logs. Backward, the probability E of
visiting a cell,

    E(n,m) = p_h(n+1,m) E(n+1,m) + [p_v(n,m+1) E(n,m+1) + p_d(n+1,m+1) E(n+1,m+1)],   E(N,M) = 1,

is scanned in the linear domain, never through log p, which is -inf as soon as one p underflows.

Letters: B pairs, S the shorter and L the longer padded side. Tensors over cells are (S,B,L) here, so that a
round works on contiguous memory. Steps are stacked in the order diagonal, horizontal, vertical: the order
that settles ties at gamma = 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from warplens.torch.scan import affine_scan_reversed, log_scan
from warplens.torch.softmin import SoftMaximum

DIAGONAL, HORIZONTAL, VERTICAL = range(3)


@dataclass(frozen=True)
class Solution:
    """What the recursion yields for B cost matrices; cells outside a pair, or off every path, are 0."""

    H: Tensor  # (B,N,M) dSDTW/dC
    E: Tensor  # (B,N,M) probability that the path visits the cell
    entropy: Tensor  # (B,) of the distribution of paths, -dSDTW/dgamma
    step_weights_grad: Tensor  # (B,3) horizontal, vertical, diagonal


@dataclass(frozen=True)
class Grid:
    """The cost matrices turned so that the longer side is last."""

    costs: Tensor  # (S,B,L), +inf forbids
    along: int  # the step that stays at one index of the shorter axis
    across: int  # the step that stays at one index of the longer axis
    short_end: Tensor  # (B,) last index of each pair on the shorter axis
    long_end: Tensor  # (B,) and on the longer


def solve(
    C: Tensor, x_end: Tensor, y_end: Tensor, gamma: Tensor, step_weights: Tensor, *, derivatives: bool
) -> tuple[Tensor, Solution | None]:
    """Soft DTW of B cost matrices.

    Args:
        C: (B,N,M) float64; +inf forbids a cell, and every cell outside a pair must hold it.
        x_end: (B,) int64, zero-based index of each pair's last row.
        y_end: (B,) int64, and of its last column.
        gamma: () float64; 0 is hard DTW.
        step_weights: (3,) float64: horizontal, vertical, diagonal.
        derivatives: whether the derivatives are wanted too.

    Returns:
        The values (B,), +inf where there is no path, and the derivatives if wanted (0 where there is no
        path).
    """
    grid = turn(C, x_end, y_end)
    weights = step_weights.to(C.device)[[2, 0, 1]]
    softmax = SoftMaximum(gamma, C.device)
    value, steps = accumulate(grid, weights, softmax, keep=derivatives)
    if not derivatives:
        return value, None
    p = torch.stack(steps)  # (S,3,B,L)
    E = visits(grid, p, value)  # (S,B,L)
    # All of a pair is NaN when its value is, not only what lies before the first NaN on the way back.
    E = E.masked_fill(value.isnan()[:, None] & (grid.costs != torch.inf), torch.nan)
    visited = E.unsqueeze(1) * p  # (S,3,B,L) expected uses of each step
    finite_costs = grid.costs.masked_fill(grid.costs == torch.inf, 0.0)
    by_step = torch.einsum("stbl,sbl->bt", visited, finite_costs)
    return value, Solution(
        H=turn_back(grid, torch.einsum("stbl,t->sbl", visited, weights)),
        E=turn_back(grid, E),
        entropy=-(E.unsqueeze(1) * torch.xlogy(p, p)).sum(dim=(0, 1, 3)),
        step_weights_grad=by_step[:, [HORIZONTAL, VERTICAL, DIAGONAL]],
    )


def turn(C: Tensor, x_end: Tensor, y_end: Tensor) -> Grid:
    """The matrices (B,N,M) with the longer side last."""
    if C.shape[1] >= C.shape[2]:
        return Grid(C.permute(2, 0, 1).contiguous(), HORIZONTAL, VERTICAL, y_end, x_end)
    return Grid(C.permute(1, 0, 2).contiguous(), VERTICAL, HORIZONTAL, x_end, y_end)


def turn_back(grid: Grid, cells: Tensor) -> Tensor:
    """(S,B,L) as (B,N,M)."""
    order = (1, 2, 0) if grid.along == HORIZONTAL else (1, 0, 2)
    return cells.permute(order).contiguous()


def accumulate(
    grid: Grid, weights: Tensor, softmax: SoftMaximum, *, keep: bool
) -> tuple[Tensor, list[Tensor]]:
    """Values (B,), and for each index of the shorter axis the step probabilities (3,B,L) if they are kept."""
    _, batch, length = grid.costs.shape
    border = grid.costs.new_full((batch, 1), -torch.inf)
    start = torch.zeros_like(border)
    # log a of the previous index, with the border entry of the longer axis in front: a(0,0) = 1, the rest 0.
    before = torch.cat([start, border.expand(batch, length)], dim=1)  # (B,1+L)
    log_end = border[:, 0]
    steps: list[Tensor] = []
    rates = -(weights / softmax.scale).view(3, 1, 1)
    for index, costs in enumerate(grid.costs):
        forbidden = costs == torch.inf
        k = (rates * costs.masked_fill(forbidden, 0.0)).masked_fill(forbidden, -torch.inf)  # (3,B,L)
        diagonal = k[DIAGONAL] + before[:, :-1]
        across = k[grid.across] + before[:, 1:]
        log_a = log_scan(k[grid.along], softmax.combine(across, diagonal), softmax.combine)
        before = torch.cat([border, log_a], dim=1)
        log_end = torch.where(grid.short_end == index, log_a.gather(1, grid.long_end[:, None])[:, 0], log_end)
        if keep:
            along = k[grid.along] + before[:, :-1]
            horizontal, vertical = (along, across) if grid.along == HORIZONTAL else (across, along)
            steps.append(softmax.probabilities(torch.stack([diagonal, horizontal, vertical])))
    return -softmax.scale * log_end, steps


def visits(grid: Grid, p: Tensor, value: Tensor) -> Tensor:
    """E (S,B,L) from the step probabilities (S,3,B,L)."""
    shorter, _, batch, length = p.shape
    positions = torch.arange(length, device=p.device)
    end = (positions == grid.long_end[:, None]) & (value != torch.inf)[:, None]  # no path, no visits
    nothing = p.new_zeros((batch, 1))

    def later(cells: Tensor) -> Tensor:
        return torch.cat([cells[:, 1:], nothing], dim=1)

    E = [nothing] * shorter
    for index in reversed(range(shorter)):
        arriving = (end & (grid.short_end == index)[:, None]).to(p.dtype)
        if index + 1 < shorter:
            after, next_steps = E[index + 1], p[index + 1]
            arriving = arriving + next_steps[grid.across] * after + later(next_steps[DIAGONAL] * after)
        E[index] = affine_scan_reversed(later(p[index, grid.along]), arriving)
    return torch.stack(E)
