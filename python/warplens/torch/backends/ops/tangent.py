"""Tangents of soft DTW and of its gradient along a direction: Hessian-vector products in torch operations.

Let ' be the derivative along a direction (C', g', w'), z_s = w_s C + D(before s) the terms of the softmin,
and p_s the probability of step s. As in `recursion` one axis is looped over and the other scanned; both
sweeps are affine with the probabilities for factors:

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

from warplens.torch.backends.ops.affine_scan import AffineScan
from warplens.torch.backends.ops.grid import DIAGONAL, Grid, as_lines
from warplens.torch.backends.ops.recursion import Recursion


@dataclass(frozen=True)
class Direction:
    """A direction in C, gamma and the step weights."""

    C: Tensor  # (B,N,M) float64; ignored where C is +inf
    gamma: Tensor  # () float64
    step_weights: Tensor  # (3,) float64


@dataclass(frozen=True)
class Tangent:
    """Derivatives along a direction; 0 where there is no path."""

    value: Tensor  # (B,) SDTW
    H: Tensor  # (B,N,M) dSDTW/dC
    gamma_grad: Tensor  # (B,) dSDTW/dgamma
    step_weights_grad: Tensor  # (B,3) dSDTW/dw


def tangent(grid: Grid, gamma: Tensor, step_weights: Tensor, direction: Direction) -> Tangent:
    """Return the tangent for B cost matrices; arguments are those of `recursion.sweep`."""
    shorter, batch, length = grid.shape
    everything = slice(0, shorter)
    recursion = Recursion.of(grid, gamma, step_weights)
    weights, weights_change = (
        w.to(grid.batch_shape.device, non_blocking=True).roll(1)
        for w in (step_weights, direction.step_weights)
    )
    costs = grid.costs(everything)  # (S,B,L)
    k = recursion.log_factors(costs)
    log_a = recursion.accumulate(k, recursion.border())
    value = -recursion.softmax.scale * recursion.at_ends(everything, log_a, log_a[-1, :, 0])
    p = recursion.probabilities(k, log_a)  # (3,S,B,L)
    E, _ = recursion.visits(p, recursion.ends_in(everything, value), value.new_zeros((batch, length)))
    log_p = p.log().masked_fill(p == 0.0, 0.0)
    forbidden = costs == torch.inf
    costs = costs.masked_fill(forbidden, 0.0)
    costs_change = as_lines(direction.C, grid.lines_are_columns).masked_fill(forbidden, 0.0)
    by_itself = (  # z' less D'(before s), (3,S,B,L)
        _by_step(weights_change) * costs
        + _by_step(weights) * costs_change
        + direction.gamma.to(grid.batch_shape.device, non_blocking=True) * log_p
    )
    z, D_change = _accumulate_changes(grid, p, by_itself)
    value_change = recursion.at_ends(everything, D_change, D_change[-1, :, 0])
    p_change = _changes_of_probabilities(p, z) / recursion.softmax.scale
    E_change = _changes_of_visits(grid, p, p_change, E)
    flows = p * E
    flows_change = p_change * E + p * E_change
    H = torch.tensordot(weights_change, flows, 1) + torch.tensordot(weights, flows_change, 1)
    by_step = (flows * costs_change + flows_change * costs).sum((1, 3)).mT  # (B,3)
    is_bad = value.isnan() | value_change.isnan()  # then so is all of the pair
    H = H.masked_fill(is_bad[:, None] & ~forbidden, torch.nan)
    turned_back = torch.empty_like(direction.C, memory_format=torch.contiguous_format)
    as_lines(turned_back, grid.lines_are_columns).copy_(H)
    return Tangent(
        value=value_change.masked_fill(is_bad, torch.nan),
        H=turned_back,
        gamma_grad=(flows_change * log_p).sum((0, 1, 3)).masked_fill(is_bad, torch.nan),
        step_weights_grad=by_step.roll(-1, 1).masked_fill(is_bad[:, None], torch.nan),
    )


def _by_step(weights: Tensor) -> Tensor:
    return weights.view(3, 1, 1, 1)


def _accumulate_changes(grid: Grid, p: Tensor, by_itself: Tensor) -> tuple[Tensor, Tensor]:
    """Return z' (3,S,B,L), in the place of `by_itself`, and D' (1+S,B,1+L) with border entries in front."""
    shorter, batch, length = grid.shape
    D = p.new_zeros((1 + shorter, batch, 1 + length))
    # Scanned from the far end: reversed, the D' of a line is affine in its predecessor.
    scan = AffineScan(D[0, :, 1:])
    prepared = scan.prepare(p[grid.along].flip(-1))
    padded = p.new_empty((batch, scan.padded_length))
    for index in range(shorter):
        before, z = D[index], by_itself[:, index]
        z[DIAGONAL] += before[:, :-1]
        z[grid.across] += before[:, 1:]
        arriving = (p[:, index] * z).sum(0)  # z along the line lacks its D' still
        scan.s.copy_(arriving.flip(-1))
        scan.solve(prepared, index, out=padded)
        D[index + 1, :, 1:] = padded[:, :length].flip(-1)
        z[grid.along] += D[index + 1, :, :-1]
    return by_itself, D


def _changes_of_probabilities(p: Tensor, z: Tensor) -> Tensor:
    """Return g p'_s (3,S,B,L), made of the gains of each step from each other, so that they add up to 0."""

    def gain(step: int, other: int) -> Tensor:
        return p[step] * p[other] * (z[other] - z[step])

    first, second, third = gain(0, 1), gain(0, 2), gain(1, 2)
    return torch.stack([first + second, third - first, -second - third])


def _changes_of_visits(grid: Grid, p: Tensor, p_change: Tensor, E: Tensor) -> Tensor:
    """Return E' (S,B,L)."""
    scan = AffineScan(E[0])
    prepared = scan.prepare(p[grid.along, ..., 1:])
    padded = E.new_empty((*E.shape[:-1], scan.padded_length))
    E_change = padded[..., : E.shape[-1]]
    after: Tensor | None = None  # (3,B,L) F' of the next line
    for index in reversed(range(len(E))):
        s = scan.s.zero_()
        s[:, :-1] += (p_change[grid.along, index] * E[index])[:, 1:]
        if after is not None:
            s += after[grid.across]
            s[:, :-1] += after[DIAGONAL, :, 1:]
        scan.solve(prepared, index, out=padded[index])
        after = p_change[:, index] * E[index] + p[:, index] * E_change[index]
    return E_change
