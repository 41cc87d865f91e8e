"""Drop-DTW as a model: frames are matched, at C(n,m), or dropped, at drop(n).

`warplens.family.dropping` has the graphs: that of CTC, with the blank read as dropped, where no frame is
dropped between the frames of one target; else one state a target, with a step (1,0) that matches again and
another that drops. A cost of +inf forbids the match alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from warplens.family.dropping import DROP
from warplens.torch.family.model import CORNER, BatchModel, Ends
from warplens.torch.family.values import results_of_costs, values_of_costs
from warplens.torch.inputs.batches import CostMatrices, values_are_readable


def values_of_drops(
    matrices: CostMatrices,
    drops: Tensor,
    gamma: Tensor,
    pair_scale: Tensor | None,
    backend: str,
    *,
    contiguous: bool,
    many_to_one: bool,
) -> Tensor:
    """Return the values (B,) float64 times `pair_scale`, differentiable in C, drops and gamma, and twice.

    Args:
        matrices: costs of matches, C (B,N,M); +inf forbids a match.
        drops: (B,N) or (1,N) float64, above -inf; +inf forbids. Where alignments are not contiguous but many
            to one at gamma > 0, above 0.
        gamma: () float64; 0 is Drop-DTW itself.
        pair_scale: (B,) or None.
        backend: "core" or "ops".
        contiguous: no frame is dropped between the frames of one target.
        many_to_one: a matched frame may be matched to the next targets too.
    """
    graph, model = _graph(matrices, drops, gamma, contiguous=contiguous, many_to_one=many_to_one)
    return values_of_costs(graph, model, pair_scale, backend)


def results_of_drops(
    matrices: CostMatrices,
    drops: Tensor,
    gamma: Tensor,
    names: Sequence[str],
    backend: str,
    *,
    contiguous: bool,
    many_to_one: bool,
) -> dict[str, Tensor]:
    """Return `value` and the named ones of H, h, E, visits and entropy, over frames and targets.

    Arguments are those of `values_of_drops`. H and E (B,N,M) are of matches: h(n) is the expected number of
    targets that the frame is matched to, and `visits` (B,M) that of frames of each target.
    """
    graph, model = _graph(matrices, drops, gamma, contiguous=contiguous, many_to_one=many_to_one)
    of_E = not {"E", "visits"}.isdisjoint(names)
    asked = [name for name in ("H", "h", "entropy") if name in names] + (["E"] if of_E else [])
    if of_E and not contiguous:
        asked.append("step_posteriors")
    with torch.no_grad():
        results = results_of_costs(graph, model, asked, backend)
    if contiguous:
        for name in {"H", "E"} & results.keys():
            results[name] = results[name][..., 1::2].contiguous()
    elif of_E:
        # A dropped frame stays where it is, which is no match.
        results["E"] = results["E"] - results.pop("step_posteriors")[:, DROP]
    if "visits" in names:
        results["visits"] = results["E"].sum(1)
    return {name: result for name, result in results.items() if name == "value" or name in names}


def _graph(
    matrices: CostMatrices, drops: Tensor, gamma: Tensor, *, contiguous: bool, many_to_one: bool
) -> tuple[CostMatrices, BatchModel]:
    C = matrices.C
    is_forbidden = C.detach() == torch.inf
    banned = torch.where(is_forbidden, torch.inf, 0.0).to(drops.dtype)
    if values_are_readable(C) and not bool(is_forbidden.any()):
        banned = banned.new_zeros((1, 1, 1))
    else:
        C = torch.where(is_forbidden, 0.0, C)
    drops = drops.to(C.device, non_blocking=True)
    is_hard = bool(gamma == 0) if values_are_readable(gamma) else None
    make = _contiguous if contiguous else _of_one_state
    return make(C, matrices, banned, drops, gamma, is_hard, many_to_one)


def _contiguous(
    C: Tensor,
    matrices: CostMatrices,
    banned: Tensor,
    drops: Tensor,
    gamma: Tensor,
    is_hard: bool | None,
    many_to_one: bool,
) -> tuple[CostMatrices, BatchModel]:
    """Return the graph whose columns are dropped, y_1, dropped, ..., dropped."""
    M = C.shape[2]
    weight = _between(banned.new_ones((1, 1, M)), banned.new_zeros(1, 1, 1))
    banned = banned.expand(-1, -1, M)
    penalty = _between(banned, drops.unsqueeze(2))
    into_targets = _between(banned, banned.new_full((1, 1, 1), torch.inf))
    sizes, penalties = [(1, 0), (1, 1), (1, 2)], [penalty, penalty, into_targets]
    if many_to_one:
        sizes.append((0, 2))
        penalties.append(into_targets)
    column = torch.arange(2 * M + 1, device=C.device)
    entry = torch.where(column < 2, penalty[:, :1], torch.inf)
    lengths = matrices.y_lengths
    last = 2 * M if lengths is None else (2 * lengths).view(-1, 1, 1)
    exit = torch.where((column == last) | (column == last - 1), 0.0, torch.inf).view(-1, 1, 2 * M + 1)
    graph = CostMatrices(
        _between(C, C.new_zeros((1, 1, 1))),
        matrices.x_lengths,
        None if lengths is None else 2 * lengths + 1,
        matrices.unbatched,
    )
    model = BatchModel(
        gamma=gamma,
        is_hard=is_hard,
        sizes=tuple(sizes),
        weights=(weight,) * len(sizes),
        penalties=tuple(penalties),
        entry_weight=weight,
        exit_weight=None,
        entry=Ends("row", (entry,)),
        exit=Ends("row", (exit.to(drops.dtype),)),
    )
    return graph, model


def _of_one_state(
    C: Tensor,
    matrices: CostMatrices,
    banned: Tensor,
    drops: Tensor,
    gamma: Tensor,
    is_hard: bool | None,
    many_to_one: bool,
) -> tuple[CostMatrices, BatchModel]:
    """Return the graph of one state a target: a step (1,0) matches again, another drops the frame."""
    one, none = drops.new_ones((1, 1, 1)), drops.new_zeros((1, 1, 1))
    diagonal = banned
    if many_to_one and is_hard is not True:
        # After a drop the next target is reached by the diagonal and, over a match, by (0,1): once is enough.
        diagonal = banned + _counted_once(drops, gamma).unsqueeze(2)
    sizes = [(1, 0), (1, 1), (1, 0)]
    weights, penalties = [one, one, none], [banned, diagonal, drops.unsqueeze(2)]
    if many_to_one:
        sizes.append((0, 1))
        weights.append(one)
        penalties.append(banned)
    before = torch.cat((drops.new_zeros((len(drops), 1)), drops[:, :-1].cumsum(1)), 1)
    model = BatchModel(
        gamma=gamma,
        is_hard=is_hard,
        sizes=tuple(sizes),
        weights=tuple(weights),
        penalties=tuple(penalties),
        entry_weight=one,
        exit_weight=None,
        entry=Ends("column", (before.unsqueeze(2) + banned[:, :, :1],)),
        exit=CORNER,
    )
    return CostMatrices(C, matrices.x_lengths, matrices.y_lengths, matrices.unbatched), model


def _counted_once(drops: Tensor, gamma: Tensor) -> Tensor:
    """Return -gamma log(1 - exp(-drop / gamma)), 0 where it is +inf or gamma is 0."""
    gamma = gamma.to(drops.device, drops.dtype, non_blocking=True)
    has_none = (drops == torch.inf) | (gamma == 0)
    softness = torch.where(gamma == 0, 1.0, gamma)
    ratio = torch.where(has_none, 1.0, drops) / softness
    return torch.where(has_none, 0.0, -softness * torch.log(-torch.expm1(-ratio)))


def _between(targets: Tensor, between: Tensor) -> Tensor:
    """Return (b,n,2M+1) with targets (b,n,M) in the odd columns and (b,n,1) in the even ones."""
    b, n = (max(sizes) for sizes in zip(targets.shape[:2], between.shape[:2], strict=True))
    M = targets.shape[2]
    targets, between = targets.expand(b, n, M), between.expand(b, n, M + 1)
    pairs = torch.stack((between[:, :, :M], targets), 3).flatten(2)
    return torch.cat((pairs, between[:, :, M:]), 2)
