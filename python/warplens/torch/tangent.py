"""How soft DTW and its gradient change along a direction: Hessian-vector products in torch operations.

Let ' be the derivative along a direction (C', g', w'), z_s = w_s C + D(before s) what softmin compares, and
p_s the probability of step s. As in `warplens.torch.recursion` one axis is looped over and the other scanned;
both sweeps are affine with the probabilities for factors:

    z'_s = w'_s C + w_s C' + g' log p_s + D'(before s),        D' = p_h z'_h + p_v z'_v + p_d z'_d
    p'_s = p_s sum_r p_r (z'_r - z'_s) / g
    E'(n,m) = sum over the steps s out of (n,m) of p'_s E + p_s E' where they lead,     E'(N,M) = 0

With the flows F_s = p_s E and F'_s = p'_s E + p_s E' the gradient changes by

    H' = sum_s w'_s F_s + w_s F'_s,   (dSDTW/dw_s)' = sum C' F_s + C F'_s,   (dSDTW/dg)' = sum F'_s log p_s

At gamma = 0 every p is 0 or 1, and stays so: p' = 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from warplens.torch.recursion import DIAGONAL, HORIZONTAL, VERTICAL, Grid, accumulate, turn, turn_back, visits
from warplens.torch.scan import affine_scan_reversed
from warplens.torch.softmin import SoftMaximum


@dataclass(frozen=True)
class Direction:
    """Where C, gamma and step weights go."""

    C: Tensor  # (B,N,M) float64; what stands where C is +inf is ignored
    gamma: Tensor  # () float64
    step_weights: Tensor  # (3,) float64


@dataclass(frozen=True)
class Tangent:
    """What changes along a direction; 0 where there is no path."""

    value: Tensor  # (B,) SDTW
    H: Tensor  # (B,N,M) dSDTW/dC
    gamma_grad: Tensor  # (B,) dSDTW/dgamma
    step_weights_grad: Tensor  # (B,3) dSDTW/dw


def tangent(
    C: Tensor, x_end: Tensor, y_end: Tensor, gamma: Tensor, step_weights: Tensor, direction: Direction
) -> Tangent:
    """The changes for B cost matrices; arguments are those of `warplens.torch.recursion.solve`."""
    grid = turn(C, x_end, y_end)
    softmax = SoftMaximum(gamma, C.device)
    weights, weights_change = (w.to(C.device)[[2, 0, 1]] for w in (step_weights, direction.step_weights))
    value, steps = accumulate(grid, weights, softmax, keep=True)
    p = torch.stack(steps)  # (S,3,B,L)
    E = visits(grid, p, value)
    log_p = p.log().masked_fill(p == 0.0, 0.0)
    forbidden = grid.costs == torch.inf
    costs = grid.costs.masked_fill(forbidden, 0.0)
    costs_change = turn(direction.C, x_end, y_end).costs.masked_fill(forbidden, 0.0)
    by_itself = (  # z' less D'(before s), (S,3,B,L)
        _by_step(weights_change) * costs.unsqueeze(1)
        + _by_step(weights) * costs_change.unsqueeze(1)
        + direction.gamma.to(C.device) * log_p
    )
    value_change, z = _accumulate_changes(grid, p, by_itself)
    p_change = _changes_of_probabilities(p, z) / softmax.scale
    E_change = _changes_of_visits(grid, p, p_change, E)
    flows = p * E.unsqueeze(1)
    flows_change = p_change * E.unsqueeze(1) + p * E_change.unsqueeze(1)
    H = torch.einsum("stbl,t->sbl", flows, weights_change) + torch.einsum(
        "stbl,t->sbl", flows_change, weights
    )
    by_step = torch.einsum("stbl,sbl->bt", flows, costs_change)
    by_step = by_step + torch.einsum("stbl,sbl->bt", flows_change, costs)
    is_bad = value.isnan() | value_change.isnan()  # then so is all of the pair
    return Tangent(
        value=value_change.masked_fill(is_bad, torch.nan),
        H=turn_back(grid, H.masked_fill(is_bad[:, None] & ~forbidden, torch.nan)),
        gamma_grad=(flows_change * log_p).sum(dim=(0, 1, 3)).masked_fill(is_bad, torch.nan),
        step_weights_grad=by_step[:, [HORIZONTAL, VERTICAL, DIAGONAL]].masked_fill(
            is_bad[:, None], torch.nan
        ),
    )


def _by_step(weights: Tensor) -> Tensor:
    return weights.view(3, 1, 1)


def _accumulate_changes(grid: Grid, p: Tensor, by_itself: Tensor) -> tuple[Tensor, Tensor]:
    """D' (B,) at the end of each pair, and z' (S,3,B,L)."""
    shorter, _, batch, length = p.shape
    border = p.new_zeros((batch, 1))
    before = p.new_zeros((batch, 1 + length))  # D' of the previous index, a border entry in front
    at_end = border[:, 0]
    found = []
    for index in range(shorter):
        diagonal = by_itself[index, DIAGONAL] + before[:, :-1]
        across = by_itself[index, grid.across] + before[:, 1:]
        q = p[index, grid.along]
        arriving = p[index, DIAGONAL] * diagonal + p[index, grid.across] * across
        arriving = arriving + q * by_itself[index, grid.along]
        D = affine_scan_reversed(q.flip(-1), arriving.flip(-1)).flip(-1)
        before = torch.cat([border, D], dim=1)
        at_end = torch.where(grid.short_end == index, D.gather(1, grid.long_end[:, None])[:, 0], at_end)
        along = by_itself[index, grid.along] + before[:, :-1]
        horizontal, vertical = (along, across) if grid.along == HORIZONTAL else (across, along)
        found.append(torch.stack([diagonal, horizontal, vertical]))
    return at_end, torch.stack(found)


def _changes_of_probabilities(p: Tensor, z: Tensor) -> Tensor:
    """g p'_s (S,3,B,L), from what each step gains of each other: so they add up to 0."""

    def gain(step: int, other: int) -> Tensor:
        return p[:, step] * p[:, other] * (z[:, other] - z[:, step])

    first, second, third = gain(0, 1), gain(0, 2), gain(1, 2)
    return torch.stack([first + second, third - first, -second - third], dim=1)


def _changes_of_visits(grid: Grid, p: Tensor, p_change: Tensor, E: Tensor) -> Tensor:
    """E' (S,B,L)."""
    shorter, _, batch, _ = p.shape
    nothing = p.new_zeros((batch, 1))

    def later(cells: Tensor) -> Tensor:
        return torch.cat([cells[:, 1:], nothing], dim=1)

    found = [E[0]] * shorter
    for index in reversed(range(shorter)):
        arriving = later(p_change[index, grid.along] * E[index])
        if index + 1 < shorter:
            after = p_change[index + 1] * E[index + 1] + p[index + 1] * found[index + 1]  # (3,B,L) F'
            arriving = arriving + after[grid.across] + later(after[DIAGONAL])
        found[index] = affine_scan_reversed(later(p[index, grid.along]), arriving)
    return torch.stack(found)
