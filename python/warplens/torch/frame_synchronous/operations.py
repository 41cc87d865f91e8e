"""Frame-synchronous losses in torch operations: a line of them a frame, float64 where the device has it.

With the columns c = blank, label, blank, ... of the expanded targets and a(c) = log of the sum over all paths
that have come so far, each frame is

    a(c) <- log( exp(a(c) - stay(t,c)) + exp(a(c-1) - step(t,c)) + exp(a(c-2) - skip(t,c)) )

where stay, step and skip are costs over gamma. Without a blank the columns are the targets, nothing is
skipped, and a column that no path stays on stands before them: the way into the first. Autograd
differentiates it as often as it likes. What is forbidden costs `NOTHING`, which is finite: no infinity and
no NaN comes of it, in any derivative.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.frame_synchronous.batches import ClassBatch, GraphSettings, columns_of
from warplens.torch.inputs.batches import inside, widest_dtype
from warplens.torch.inputs.torch_private import recorded_by_autograd

NOTHING = 1e30
"""Cost over gamma of what is forbidden; a value of more than a tenth of it is none."""


def values(
    batch: ClassBatch,
    inputs: Sequence[Tensor],
    settings: GraphSettings,
    *,
    costs_moved: Tensor | None = None,
    visits_moved: Tensor | None = None,
) -> Tensor:
    """Return the values (B,), +inf without a path, differentiable in all tensors.

    Args:
        batch: targets and lengths.
        inputs: scores (B,T,K), gamma and the penalty of blanks, both () or both (B,): those of batch and
            settings, or what stands for them.
        settings: the rest.
        costs_moved: (B,T,2S+1) added to the costs of cells, before weights: the gradient in it is H.
        visits_moved: the same, after weights: the gradient in it is E.
    """
    device = inputs[0].device
    exact = widest_dtype(device)
    scores, gamma, blank_penalty = (tensor.to(device, exact) for tensor in inputs)
    scores = _without_padding(scores, batch)
    batch = replace(batch, scores=scores)
    if settings.from_logits:
        scores = scores.log_softmax(2)
    columns = columns_of(batch, settings.blank)  # (B,C)
    frames = scores.shape[1]
    if settings.blank is not None:
        scores = scores.gather(2, columns[:, None].expand(-1, frames, -1))
    costs = -scores  # (B,T,C)
    if settings.class_costs is not None:
        costs = costs + settings.class_costs.to(costs)[columns][:, None]
    if costs_moved is not None:
        costs = costs + costs_moved
    forbidden = costs == torch.inf
    costs = torch.where(forbidden, 0.0, torch.where(costs == -torch.inf, torch.nan, costs))
    is_blank = torch.arange(columns.shape[1], device=columns.device) % 2 == 0
    is_blank = is_blank & (settings.blank is not None)
    skips, free = (where[:, None] for where in _steps(columns, settings))
    first = (torch.arange(frames, device=columns.device) == 0)[:, None]
    if gamma.ndim:
        gamma, blank_penalty = gamma[:, None, None], blank_penalty[:, None, None]
    forbids = blank_penalty == torch.inf
    # Where only the needed blanks are left, a path may still begin on one.
    closed = forbids & ~first if settings.free_between else forbids
    # A path begins at weight 1; the penalty of blanks is paid from the first frame on.
    weighted = torch.where(is_blank & ~first, settings.blank_weight * costs, costs)
    penalised = weighted + torch.where(is_blank & ~forbids, blank_penalty, 0.0)
    moved = 0.0 if visits_moved is None else visits_moved
    at_cost_1 = (costs + moved) / gamma
    stay = torch.where(forbidden | (is_blank & closed), NOTHING, (penalised + moved) / gamma)
    step = torch.where(free & ~forbidden, at_cost_1, stay)
    skip = torch.where(skips & ~forbidden, at_cost_1, NOTHING)
    if settings.blank is None:
        stay, step, skip = (functional.pad(each, (1, 0), value=NOTHING) for each in (stay, step, skip))
    a = _before_first_frame(stay)
    for t in range(frames):
        a = torch.where(batch.frames[:, None] > t, _next(a, stay[:, t], step[:, t], skip[:, t]), a)
    total = torch.logsumexp(_ends(a, batch), 1)
    return torch.where(total < -0.1 * NOTHING, torch.inf, -gamma.reshape(-1) * total)


def solve(
    batch: ClassBatch, settings: GraphSettings, scale: Tensor | None, wanted: Sequence[bool]
) -> Solution:
    """Return values times `scale`, and the wanted gradients in scores, gamma and penalty times it."""
    inputs = [batch.scores, settings.gamma, settings.blank_penalty]
    if not any(wanted):
        with torch.no_grad():
            result = values(batch, inputs, settings)
        return Solution(result if scale is None else result * scale, [None] * 3)
    with recorded_by_autograd():
        leaves = [inputs[0].detach().requires_grad_()]
        # Numbers that all items share have a gradient for each item.
        items = len(batch.scores)
        shared = [number.detach().to(batch.scores.device).expand(items) for number in inputs[1:]]
        leaves += [number.clone().requires_grad_() for number in shared]
        result = values(batch, leaves, settings)
        scaled = result if scale is None else result * scale.to(result)
        total = torch.where(scaled.isinf(), 0.0, scaled).sum()
        asked = [leaf for leaf, yes in zip(leaves, wanted, strict=True) if yes]
        found = iter(torch.autograd.grad(total, asked, allow_unused=True, materialize_grads=True))
    return Solution(scaled.detach(), [next(found) if yes else None for yes in wanted])


def lens(batch: ClassBatch, settings: GraphSettings, names: Sequence[str]) -> dict[str, Tensor]:
    """Return `value` and the named outputs, batch first."""
    scores = batch.scores.detach()
    exact = widest_dtype(scores.device)
    columns = columns_of(batch, settings.blank)
    zeros = scores.new_zeros((*scores.shape[:2], columns.shape[1]), dtype=exact)
    with recorded_by_autograd():
        costs_moved, visits_moved = zeros.clone().requires_grad_(), zeros.clone().requires_grad_()
        gamma = settings.gamma.detach().to(scores.device, exact).expand(len(scores)).clone().requires_grad_()
        penalty = settings.blank_penalty.detach().to(scores.device, exact).expand(len(scores))
        inputs = (scores, gamma, penalty)
        value = values(batch, inputs, settings, costs_moved=costs_moved, visits_moved=visits_moved)
        total = torch.where(value.isinf(), 0.0, value).sum()
        leaves = (costs_moved, visits_moved, gamma)
        H, E, gamma_grad = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    h = H.sum(2)
    index = columns[:, None].expand(-1, scores.shape[1], -1)
    taught = scores.new_zeros(scores.shape, dtype=exact).scatter_add(2, index, H)
    y_mod = torch.where(h < 1e-20, 0.0, 1 / h.clamp(min=1e-20))[:, :, None] * taught
    results = {"H": H, "E": E, "h": h, "y_mod": y_mod, "durations": E.sum(1), "entropy": -gamma_grad}
    return {"value": value.detach(), **{name: results[name] for name in names}}


def _steps(columns: Tensor, settings: GraphSettings) -> tuple[Tensor, Tensor]:
    """Return where a step over a blank may arrive, and where one into a blank is free, (B,C) each."""
    skips = torch.zeros_like(columns, dtype=torch.bool)
    if settings.blank is None:
        return skips, skips
    labels = columns[:, 1::2]
    differs = labels[:, 1:] != labels[:, :-1]
    skips[:, 3::2] = differs
    free = torch.zeros_like(skips)
    if settings.free_between:
        free[:, 2:-1:2] = ~differs
    return skips, free


def _without_padding(scores: Tensor, batch: ClassBatch) -> Tensor:
    """Put 0 where an item has no frame or, without a blank, no target: NaN there must reach no gradient."""
    read = inside(scores, batch.frames)[:, :, None]
    if batch.labels is None:
        read = read & inside(scores[0].mT[None], batch.label_lengths)[:, None]
    return torch.where(read, scores, 0.0)


def _before_first_frame(costs: Tensor) -> Tensor:
    """Return a (B,C) for costs (B,T,C): the first column alone has a path."""
    a = torch.full_like(costs[:, :1].sum(1), -NOTHING)
    return torch.where(torch.arange(a.shape[1], device=a.device) == 0, 0.0, a)


def _ends(a: Tensor, batch: ClassBatch) -> Tensor:
    """Return the logarithms of the sums of paths that have come to an end, (B,1) or (B,2)."""
    if batch.labels is None:
        return a.gather(1, batch.label_lengths[:, None])
    last = 2 * batch.label_lengths[:, None]
    ends = a.gather(1, torch.cat([last, (last - 1).clamp(min=0)], 1))
    return torch.where(torch.cat([last >= 0, last > 0], 1), ends, -NOTHING)


def _next(a: Tensor, stay: Tensor, step: Tensor, skip: Tensor) -> Tensor:
    after_one = functional.pad(a[:, :-1], (1, 0), value=-NOTHING)
    after_two = functional.pad(a[:, :-2], (2, 0), value=-NOTHING)[:, : a.shape[1]]
    return torch.logsumexp(torch.stack((a - stay, after_one - step, after_two - skip)), 0)
