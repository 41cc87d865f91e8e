"""From a checked batch to one number a pair: soft DTW, its sharp value, its divergence.

Here is chosen who computes. A named cost goes to the core and to torch operations as sequences, and to Triton
where it has modified targets; everything else becomes cost matrices first. A step that is compiled or
transformed goes through the operators.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from warplens.torch import library_operators as operator
from warplens.torch.alignment import relative_alignment
from warplens.torch.backends import core as core_backend
from warplens.torch.backends.costs import cost_matrix, images_of_targets
from warplens.torch.backends.ops import backend as ops_backend
from warplens.torch.backends.triton import backend as triton_backend
from warplens.torch.inputs.batches import CostMatrices, Pairs
from warplens.torch.inputs.masks import Sides, allowed_matrix
from warplens.torch.inputs.settings import Backend, LocalCost, RecursionSettings

Values: TypeAlias = Callable[[Pairs, LocalCost, RecursionSettings, Tensor | None, Backend], Tensor]
"""pairs, cost, settings, shares, backend -> (B,) float64, times the shares (B,)."""


def values_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, shares: Tensor | None, backend: Backend
) -> Tensor:
    """SDTW (B,) float64 times `shares`."""
    by_matrix = cost.needs_matrix or (backend == "triton" and not cost.has_modified_targets)
    if by_matrix:
        return values_of_costs(cost_matrices(pairs, cost), settings, shares, backend)
    if operator.is_needed():
        return operator.values_of_pairs(pairs, cost, settings, shares, backend)
    if backend == "core":
        return core_backend.values_of_pairs(pairs, cost, settings, shares)
    if backend == "triton":
        return triton_backend.values_of_pairs(pairs, cost, settings, shares)
    return ops_backend.values_of_pairs(pairs, cost, settings, shares)


def values_of_costs(
    matrices: CostMatrices, settings: RecursionSettings, shares: Tensor | None, backend: Backend
) -> Tensor:
    """SDTW (B,) float64 of cost matrices times `shares`."""
    if operator.is_needed():
        return operator.values_of_costs(matrices, settings, shares, backend)
    if backend == "core":
        return core_backend.values_of_costs(matrices, settings, shares)
    if backend == "triton":
        return triton_backend.values_of_costs(matrices, settings, shares)
    return ops_backend.values_of_costs(matrices, settings, shares)


def sharp_values_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, shares: Tensor | None, backend: Backend
) -> Tensor:
    """<H,C> (B,) float64 times `shares`; +inf where there is no path."""
    if cost.needs_matrix or _are_differentiated(pairs.x, pairs.y, settings.gamma, settings.step_weights):
        return sharp_values_of_costs(cost_matrices(pairs, cost), settings, shares, backend)
    return _with_entropy(results_of_pairs(pairs, cost, settings, ["moments"], backend), settings, shares)


def sharp_values_of_costs(
    matrices: CostMatrices, settings: RecursionSettings, shares: Tensor | None, backend: Backend
) -> Tensor:
    """<H,C> (B,) float64 of cost matrices times `shares`; +inf where there is no path."""
    if not _are_differentiated(matrices.C, settings.gamma, settings.step_weights):
        return _with_entropy(results_of_costs(matrices, settings, ["moments"], backend), settings, shares)
    C = matrices.C if matrices.C.device.type == "mps" else matrices.C.to(torch.float64)
    C = C if C.requires_grad else C.detach().requires_grad_()
    values = values_of_costs(replace(matrices, C=C), settings, None, backend)
    (H,) = torch.autograd.grad(values.sum(), C, create_graph=True)
    within = allowed_matrix(Sides.of(matrices), None)
    read = C != torch.inf if within is None else within & (C != torch.inf)
    sharp = (H * torch.where(read, C, 0.0)).sum(dim=(1, 2))
    sharp = torch.where(values == torch.inf, torch.inf, sharp)
    return sharp if shares is None else sharp * shares


def divergence_of_pairs(values: Values) -> Values:
    """S(x,y) - 1/2 S(x,x) - 1/2 S(y,y), S being the values."""

    def divergence(
        pairs: Pairs, cost: LocalCost, settings: RecursionSettings, shares: Tensor | None, backend: Backend
    ) -> Tensor:
        if pairs.x.device.type != "mps":
            # A small difference of large numbers.
            pairs = replace(pairs, x=pairs.x.to(torch.float64), y=pairs.y.to(torch.float64))
        of_x = replace(pairs, y=pairs.x, y_lengths=pairs.x_lengths)
        of_y = replace(pairs, x=pairs.y, x_lengths=pairs.y_lengths)
        both, x, y = (values(each, cost, settings, shares, backend) for each in (pairs, of_x, of_y))
        return both - 0.5 * (x + y)

    return divergence


def cost_matrices(pairs: Pairs, cost: LocalCost) -> CostMatrices:
    """The cost matrices of the pairs, differentiable."""
    return CostMatrices(cost_matrix(pairs, cost), pairs.x_lengths, pairs.y_lengths, pairs.unbatched)


def results_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, names: Sequence[str], backend: Backend
) -> dict[str, Tensor]:
    """`value` and what is named of h, y_mod, H, E and moments (that is, the entropy), without a graph."""
    if backend == "core" and not cost.needs_matrix:
        return core_backend.results_of_pairs(pairs, cost, settings, names)
    if backend == "ops" and not cost.needs_matrix:
        return ops_backend.results_of_pairs(pairs, cost, settings, names)
    of_matrix = [name for name in names if name != "y_mod"]
    if "y_mod" in names:
        of_matrix = list(dict.fromkeys([*of_matrix, "H", "E"]))
    found = results_of_costs(cost_matrices(pairs, cost), settings, of_matrix, backend)
    if "y_mod" in names:
        images = images_of_targets(pairs, cost)
        found["y_mod"] = relative_alignment(found["H"], found["E"]).to(images.dtype) @ images
    return found


def results_of_costs(
    matrices: CostMatrices, settings: RecursionSettings, names: Sequence[str], backend: Backend
) -> dict[str, Tensor]:
    """The same of cost matrices, which give no y_mod."""
    if backend == "core":
        return core_backend.results_of_costs(matrices, settings, names)
    if backend == "triton":
        return triton_backend.results_of_costs(matrices, settings, names)
    return ops_backend.results_of_costs(matrices, settings, names)


def _are_differentiated(*inputs: Tensor) -> bool:
    if operator.is_needed():
        raise RuntimeError("sharp=True: is not for torch.compile and torch.func; call it outside of them")
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)


def mean_costs(found: dict[str, Tensor], settings: RecursionSettings) -> Tensor:
    """<H,C> = SDTW + gamma S (B,) of results with moments: SDTW is homogeneous in C and gamma."""
    value = found["value"]
    return value + settings.gamma.detach().to(value.device) * found["entropy"]


def _with_entropy(found: dict[str, Tensor], settings: RecursionSettings, shares: Tensor | None) -> Tensor:
    sharp = mean_costs(found, settings)
    return sharp if shares is None else sharp * shares
