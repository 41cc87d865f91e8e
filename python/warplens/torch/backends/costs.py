"""Cost matrices of padded batches in torch operations, differentiable by autograd.

Every cost that has modified targets is an inner product,

    C(n,m) = u(x_n) + phi(y_m) - <v(x_n), w(y_m)>,

with feature weights f and weights p on the positive part:

    mse          u = 1/2 sum f x^2          phi = 1/2 sum f y^2   v = f x                        w = y
    sqeuclidean  u = sum f x^2              phi = sum f y^2       v = 2 f x                      w = y
    bce          u = -sum f log(1-x)        phi = 0               v = f (p log x - log(1-x))     w = y
    bce_logits   u = sum f softplus x       phi = 0               v = f (p x - (p-1) softplus x) w = y
    ce           u = 0                      phi = 0               v = f log x                    w = y
    ce_logits    u = 0                      phi = 0               v = f log_softmax x            w = y
    poisson      u = sum f x                phi = 0               v = f log x                    w = y
    poisson_log  u = sum f exp x            phi = 0               v = f x                        w = y
    cosine       u = 1                      phi = 0               v = f x/|x|                    w = y/|y|

with |x|^2 = sum f x^2 under cosine. The squared costs subtract a common mean from both sequences, which
leaves C unchanged and keeps the form from cancelling. A logit of -inf under ce_logits is a class of
probability 0: with a target of 0 it is left out of costs and gradients (0 log 0 = 0), with any other the cell
costs +inf. All is computed in float64, whatever the inputs are.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from warplens._costs import COSTS_WITHOUT_TARGETS
from warplens.torch.inputs.batches import (
    CostMatrices,
    Pairs,
    inside,
    replace_padding,
    values_are_readable,
)
from warplens.torch.inputs.prior import diagonal_penalties
from warplens.torch.inputs.settings import CostFunction, LocalCost

SQUARED_COSTS = ("mse", "sqeuclidean")
"""Costs of which the common mean is subtracted from the frames."""
_LEAST_LOG = -100.0
_LEAST_DENOMINATOR = 1e-12


def cost_matrix(pairs: Pairs, cost: LocalCost, *, twice: bool = False) -> Tensor:
    """Return C (B,N,M), prior included; outside a pair it is finite whenever the pair is, and to be ignored.

    Args:
        pairs: the batch.
        cost: by name or a callable.
        twice: make a named cost differentiable twice; the distances then pass through B*N*M*D numbers.
    """
    C = _bare_cost_matrix(pairs, cost, twice=twice)
    if cost.prior is None:
        return C
    N, M = (
        torch.full((1, 1, 1), size, device=C.device) if lengths is None else lengths.view(-1, 1, 1)
        for lengths, size in ((pairs.x_lengths, C.shape[1]), (pairs.y_lengths, C.shape[2]))
    )
    P = diagonal_penalties(N, M, C.shape[1], C.shape[2], cost.prior.nu)
    return C + (cost.prior.weight * P).to(C.dtype)


def cost_matrices(pairs: Pairs, cost: LocalCost) -> CostMatrices:
    """Return the cost matrices of the pairs, differentiable."""
    return CostMatrices(cost_matrix(pairs, cost), pairs.x_lengths, pairs.y_lengths, pairs.unbatched)


def _bare_cost_matrix(pairs: Pairs, cost: LocalCost, *, twice: bool) -> Tensor:
    x, y = replace_padding(pairs.x, pairs.x_lengths), replace_padding(pairs.y, pairs.y_lengths)
    if callable(cost.kind):
        return _called(cost.kind, x, y)
    x, y = x.to(torch.float64), y.to(torch.float64)
    if cost.kind in SQUARED_COSTS:
        mean = common_mean(pairs)
        x, y = x - mean, y - mean
    return costs_between(map_frames(0, x, cost), map_frames(1, y, cost), cost, twice=twice)


def mapped_targets(pairs: Pairs, cost: LocalCost) -> Tensor:
    """Return w(y) (B,M,D) float64: H~ w(y) are the modified targets."""
    y = replace_padding(pairs.y, pairs.y_lengths).to(torch.float64)
    return map_frames(1, y, cost).vectors if cost.kind == "cosine" else y


def _called(cost: CostFunction, x: Tensor, y: Tensor) -> Tensor:
    C = cost(x, y)
    expected = (*x.shape[:2], y.shape[1])
    if not isinstance(C, Tensor) or C.shape != expected:
        got = f"shape {tuple(C.shape)}" if isinstance(C, Tensor) else f"a {type(C).__name__}"
        raise ValueError(
            f"cost: returned {got} for x {tuple(x.shape)} and y {tuple(y.shape)}; "
            f"a tensor of shape (B,N,M) = {expected} is accepted"
        )
    return C if C.dtype in (torch.float32, torch.float64) else C.to(x.dtype)


class Mapped(NamedTuple):
    """Frames, mapped to the terms of the cost's formula."""

    bias: Tensor  # (B,T), u of predictions, phi of targets; 0 under distances
    vectors: Tensor  # (B,T,D), v of predictions, w of targets; the scaled frames under distances
    impossible: Tensor | None = None  # (B,T,D), 1 where a class has probability 0 and `vectors` is 0; else 0


def costs_between(rows: Mapped, columns: Mapped, cost: LocalCost, *, twice: bool = False) -> Tensor:
    """Return costs (B,R,C) between mapped frames, of which one are predictions and the others targets."""
    if is_distance(cost):
        return distance(rows.vectors, columns.vectors, cost, twice=twice)
    bias = rows.bias.unsqueeze(2) + columns.bias.unsqueeze(1)  # (B,R,1) + (B,1,C)
    C = torch.baddbmm(bias, rows.vectors, columns.vectors.mT, alpha=-1.0)  # (B,R,D) @ (B,D,C)
    if rows.impossible is not None:
        return C.masked_fill(rows.impossible @ columns.vectors.detach().mT > 0.0, torch.inf)
    if columns.impossible is not None:
        return C.masked_fill(rows.vectors.detach() @ columns.impossible.mT > 0.0, torch.inf)
    return C


def is_distance(cost: LocalCost) -> bool:
    """Return True if the cost is a distance of vectors and not an inner product."""
    return cost.kind in COSTS_WITHOUT_TARGETS


def map_frames(side: int, frames: Tensor, cost: LocalCost) -> Mapped:
    """Map predictions (side 0) or targets (side 1), (B,T,D) float64, frame by frame."""
    if is_distance(cost):
        scaled = frames
        if cost.feature_weights is not None:
            scaled = _feature_weights(frames, cost) ** (1.0 / _order(cost)) * frames
        return Mapped(_zeros(frames), scaled)
    return map_predictions(frames, cost) if side == 0 else map_targets(frames, cost)


def _feature_weights(frames: Tensor, cost: LocalCost) -> Tensor:
    if cost.feature_weights is None:
        return frames.new_ones(())
    return cost.feature_weights.to(frames.device, non_blocking=True)


def _zeros(frames: Tensor) -> Tensor:
    return frames.new_zeros(()).expand(frames.shape[:2])


def map_predictions(x: Tensor, cost: LocalCost) -> Mapped:
    """Return u and v of frames (B,N,D) float64, under the squared costs without the common mean."""
    f = _feature_weights(x, cost)
    p = x.new_ones(()) if cost.pos_weight is None else cost.pos_weight.to(x.device, non_blocking=True)
    match cost.kind:
        case "mse":
            return Mapped(0.5 * (f * x * x).sum(-1), f * x)
        case "sqeuclidean":
            return Mapped((f * x * x).sum(-1), 2.0 * f * x)
        case "bce":
            log_x, log_complement = clamped_log(x), clamped_log_complement(x)
            return Mapped(-(f * log_complement).sum(-1), f * (p * log_x - log_complement))
        case "bce_logits":
            softplus = torch.logaddexp(x, x.new_zeros(()))
            return Mapped((f * softplus).sum(-1), f * (p * x - (p - 1.0) * softplus))
        case "ce":
            return Mapped(_zeros(x), f * clamped_log(x))
        case "ce_logits":
            return _map_logits(x, f)
        case "poisson":
            return Mapped((f * x).sum(-1), f * clamped_log(x))
        case "poisson_log":
            return Mapped((f * x.exp()).sum(-1), f * x)
        case "cosine":
            return Mapped(_zeros(x) + 1.0, f * _direction(x, f))
    raise AssertionError(f"cost {cost.kind!r} has no inner-product form")


def _map_logits(x: Tensor, f: Tensor) -> Mapped:
    """Return u and v of logits (B,N,D), classes of probability 0 apart."""
    log_softmax = torch.log_softmax(x, dim=-1)
    is_impossible = log_softmax.detach().isneginf()
    if values_are_readable(x) and not bool(is_impossible.any()):
        return Mapped(_zeros(x), f * log_softmax)
    vectors = f * log_softmax.masked_fill(is_impossible, 0.0)
    return Mapped(_zeros(x), vectors, (is_impossible & (f > 0.0)).to(x.dtype))


def map_targets(y: Tensor, cost: LocalCost) -> Mapped:
    """Return phi and w of frames (B,M,D) float64, under the squared costs without the common mean."""
    f = _feature_weights(y, cost)
    match cost.kind:
        case "mse":
            return Mapped(0.5 * (f * y * y).sum(-1), y)
        case "sqeuclidean":
            return Mapped((f * y * y).sum(-1), y)
        case "cosine":
            return Mapped(_zeros(y), _direction(y, f))
    return Mapped(_zeros(y), y)


def _direction(z: Tensor, f: Tensor) -> Tensor:
    """Return z/|z| (...,D), with value and gradient 0 at z = 0."""
    square = (f * z * z).sum(-1, keepdim=True)
    is_zero = square == 0.0
    return (z / square.masked_fill(is_zero, 1.0).sqrt()).masked_fill(is_zero, 0.0)


def _order(cost: LocalCost) -> float:
    return 2.0 if cost.kind == "euclidean" else 1.0


def distance(x: Tensor, y: Tensor, cost: LocalCost, *, twice: bool = False) -> Tensor:
    """Return Euclidean or l1 distances of mapped frames; at the kink all derivatives are 0."""
    if not twice:
        # The product form of cdist cancels near zero distance.
        return torch.cdist(x, y, p=_order(cost), compute_mode="donot_use_mm_for_euclid_dist")
    difference = x.unsqueeze(2) - y.unsqueeze(1)  # (B,N,M,D); cdist is differentiable once only
    if cost.kind == "l1":
        return difference.abs().sum(-1)
    square = difference.square().sum(-1)
    is_zero = square == 0.0
    return square.masked_fill(is_zero, 1.0).sqrt().masked_fill(is_zero, 0.0)


def common_mean(pairs: Pairs) -> Tensor:
    """Return the mean frame (B,1,D) of each pair's two sequences, a constant to autograd."""
    total, count = _sum_inside(pairs.x, pairs.x_lengths)
    y_total, y_count = _sum_inside(pairs.y, pairs.y_lengths)
    return (total + y_total) / (count + y_count)


def _sum_inside(frames: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | int]:
    frames = frames.detach().to(torch.float64)
    if lengths is None:
        return frames.sum(1, keepdim=True), frames.shape[1]
    within = frames.masked_fill(~inside(frames, lengths).unsqueeze(2), 0.0)
    return within.sum(1, keepdim=True), lengths.view(-1, 1, 1)


def clamped_log(x: Tensor) -> Tensor:
    """Return max(log x, -100), with gradient 1 / max(x, 1e-12)."""
    return _clamped(x, torch.log(x), torch.log(x.clamp(min=_LEAST_DENOMINATOR)))


def clamped_log_complement(x: Tensor) -> Tensor:
    """Return max(log(1-x), -100), with gradient -1 / max(1-x, 1e-12)."""
    return _clamped(1.0 - x, torch.log1p(-x), torch.log1p(-x.clamp(max=1.0 - _LEAST_DENOMINATOR)))


def _clamped(z: Tensor, exact: Tensor, inside: Tensor) -> Tensor:
    """Return `inside`, log z by a way without infinite gradients, and below 1e-12 a line through log z."""
    # No function of autograd's own: compilers and transforms would have to know it.
    below = exact.detach().clamp(min=_LEAST_LOG) + (z - z.detach()) / _LEAST_DENOMINATOR
    return torch.where(z >= _LEAST_DENOMINATOR, inside, below)
