"""Values of a batch by the general model, as functions that autograd knows.

The compiled core or torch operations compute gradients in the forward pass, and backward scales them, as for
plain soft DTW. Under `create_graph=True` they are made anew by `operations`, which autograd differentiates
on, and transforms of `torch.func` go through these from the start. Compiled, it is an operator.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from warplens._bands import Band
from warplens.torch.autograd.saved_gradient import DifferentiableGradient, Solution, pair_values, reduced
from warplens.torch.backends.costs import cost_matrix, mapped_targets
from warplens.torch.backends.relative_alignment import rows_of_one
from warplens.torch.family import core, operations, operator
from warplens.torch.family.model import BatchModel
from warplens.torch.inputs.batches import CostMatrices, Pairs
from warplens.torch.inputs.masks import BatchShape, allowed_matrix
from warplens.torch.inputs.settings import LocalCost
from warplens.torch.inputs.torch_private import is_transformed

_SolveModel: TypeAlias = Callable[[CostMatrices, BatchModel, Sequence[bool]], Solution]
_RESULTS = {"core": core.results, "ops": operations.results}


def values_of_pairs(
    pairs: Pairs,
    cost: LocalCost,
    model: BatchModel,
    pair_scale: Tensor | None,
    backend: str,
    total: torch.dtype | None = None,
) -> Tensor:
    """Return values (B,) times `pair_scale`, differentiable in x, y and all tensors of the model.

    With `total`, the sum () of all in this dtype.
    """
    if cost.needs_matrix or torch.compiler.is_compiling() or is_transformed():
        # A callable may have parameters of its own.
        C = cost_matrix(pairs, cost, twice=is_transformed())
        matrices = CostMatrices(C, pairs.x_lengths, pairs.y_lengths, pairs.unbatched)
        return values_of_costs(matrices, model, pair_scale, backend, total)

    def solve(x: Tensor, y: Tensor, model: BatchModel, wanted: Sequence[bool]) -> Solution:
        with torch.enable_grad():
            leaves = [side.detach().requires_grad_(yes) for side, yes in zip((x, y), wanted, strict=False)]
            C = _costs(pairs, leaves, cost)
        matrices = CostMatrices(C.detach(), pairs.x_lengths, pairs.y_lengths, pairs.unbatched)
        of_C = wanted[0] or wanted[1]
        found, (H, *of_model) = operator.SOLVE[backend](matrices, model, [of_C, *wanted[2:]])
        asked = [leaf for leaf, yes in zip(leaves, wanted, strict=False) if yes]
        of_sequences = iter(torch.autograd.grad(C, asked, H) if asked else ())
        return Solution(found, [*(next(of_sequences) if yes else None for yes in wanted[:2]), *of_model])

    lengths = pairs.x_lengths, pairs.y_lengths

    def again(x: Tensor, y: Tensor, model: BatchModel) -> Tensor:
        C = cost_matrix(Pairs(x, y, *lengths, unbatched=False), cost, twice=True)
        return operations.values(CostMatrices(C, *lengths, unbatched=False), model)

    return _values([pairs.x, pairs.y], model, solve, again, pair_scale, total)


def values_of_costs(
    matrices: CostMatrices,
    model: BatchModel,
    pair_scale: Tensor | None,
    backend: str,
    total: torch.dtype | None = None,
) -> Tensor:
    """Return values (B,) times `pair_scale`, differentiable in C and all tensors of the model.

    With `total`, the sum () of all in this dtype.
    """
    if torch.compiler.is_compiling():
        return reduced(_scaled(operator.values(matrices, model, backend), pair_scale), total)
    if is_transformed():
        return reduced(_scaled(operations.values(matrices, model), pair_scale), total)

    def solve(C: Tensor, model: BatchModel, wanted: Sequence[bool]) -> Solution:
        return operator.SOLVE[backend](matrices, model, wanted)

    lengths = matrices.x_lengths, matrices.y_lengths

    def again(C: Tensor, model: BatchModel) -> Tensor:
        return operations.values(CostMatrices(C, *lengths, unbatched=False), model)

    return _values([matrices.C], model, solve, again, pair_scale, total)


def results_of_pairs(
    pairs: Pairs,
    cost: LocalCost,
    model: BatchModel,
    names: Sequence[str],
    backend: str,
    band: Band | None = None,
) -> dict[str, Tensor]:
    """Return `value` and the named ones of y_mod and of the results of the model, without a graph.

    H, h, E, visits, entropy, step_posteriors, begin and end are those; y_mod is 0 where h(n) < 1e-20.
    """
    C = cost_matrix(pairs, cost)
    within = None if band is None else allowed_matrix(BatchShape.of(pairs), band)
    if within is not None:
        C = C.masked_fill(~within, torch.inf)
    matrices = CostMatrices(C, pairs.x_lengths, pairs.y_lengths, pairs.unbatched)
    of_costs = list(dict.fromkeys(["H" if name == "y_mod" else name for name in names]))
    results = results_of_costs(matrices, model, of_costs, backend)
    if "y_mod" in names:
        targets = mapped_targets(pairs, cost)
        results["y_mod"] = rows_of_one(results["H"]).to(targets.dtype) @ targets
    return results


def results_of_costs(
    matrices: CostMatrices, model: BatchModel, names: Sequence[str], backend: str
) -> dict[str, Tensor]:
    """Return `value` and the named results of the model, without a graph and padded with zeros."""
    return _RESULTS[backend](matrices, model, names)


def _values(
    sequences: Sequence[Tensor],
    model: BatchModel,
    solve: Callable[..., Solution],
    again: Callable[..., Tensor],
    pair_scale: Tensor | None,
    total: torch.dtype | None,
) -> Tensor:
    """Return values (B,) times `pair_scale`, or their sum.

    Args:
        sequences: x and y, or C.
        model: the rest.
        solve: (*sequences, model, wanted) -> values and the wanted gradients in sequences and in the tensors
            of the model, for each pair.
        again: (*sequences, model) -> values by operations that autograd differentiates.
        pair_scale: (B,).
        total: the dtype of the sum, or None.
    """
    order = _Order(len(sequences), model)

    def solved(wanted: Sequence[bool]) -> Solution:
        found, gradients = solve(*sequences, model, order.given(wanted))
        return Solution(found, order.arranged(gradients))

    return pair_values(
        solved,
        _differentiable_gradient(order, again),
        order.batched([*sequences, *model.tensors()]),
        order.shared(model.tensors()),
        pair_scale,
        total,
    )


def _differentiable_gradient(order: "_Order", again: Callable[..., Tensor]) -> DifferentiableGradient:
    def gradient(
        inputs: Sequence[Tensor],
        _gradients: Sequence[Tensor | None],
        factors: Tensor,
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        views = [tensor.view_as(tensor) for tensor in inputs]
        found = again(*order.restored(views))
        found = torch.where(found.isinf(), 0.0, found)
        asked = [view for view, yes in zip(views, wanted, strict=True) if yes]
        total = (found * factors.to(found)).sum()
        of_asked = iter(torch.autograd.grad(total, asked, create_graph=True, materialize_grads=True))
        return [next(of_asked) if yes else None for yes in wanted]

    return gradient


class _Order:
    """The order of inputs in `pair_values`: those with a slice for each pair, then those of all pairs.

    It keeps the structure of the model and none of its tensors, because it lives as long as the graph.
    """

    def __init__(self, sequences: int, model: BatchModel) -> None:
        tensors = model.tensors()
        is_own = [True] * sequences + [tensor.ndim == 3 and len(tensor) > 1 for tensor in tensors]
        self._sequences = sequences
        self._places = [place for place, own in enumerate(is_own) if own]
        self._own = len(self._places)
        self._places += [place for place, own in enumerate(is_own) if not own]
        self._structure = model.with_tensors([torch.empty(0)] * len(tensors))

    def batched(self, given: Sequence[Tensor]) -> list[Tensor]:
        """Return the inputs of which each pair has its own slice."""
        return [given[place] for place in self._places[: self._own]]

    def shared(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the tensors of the model that all pairs share, without their axis of pairs."""
        given = (tensors[place - self._sequences] for place in self._places[self._own :])
        return [tensor[0] if tensor.ndim == 3 else tensor for tensor in given]

    def arranged(self, given: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Bring sequences and tensors of the model to this order."""
        return [given[place] for place in self._places]

    def given(self, arranged: Sequence[bool]) -> list[bool]:
        """Bring them back."""
        back = dict(zip(self._places, arranged, strict=True))
        return [back[place] for place in range(len(self._places))]

    def restored(self, arranged: Sequence[Tensor]) -> tuple[Tensor | BatchModel, ...]:
        """Return the sequences and the model of inputs in this order."""
        back = dict(zip(self._places, arranged, strict=True))
        for place in self._places[self._own :]:
            if back[place].ndim == 2:
                back[place] = back[place].unsqueeze(0)
        tensors = [back[place] for place in range(len(self._places))]
        return (*tensors[: self._sequences], self._structure.with_tensors(tensors[self._sequences :]))


def _costs(pairs: Pairs, sides: Sequence[Tensor], cost: LocalCost) -> Tensor:
    x, y = sides
    return cost_matrix(Pairs(x, y, pairs.x_lengths, pairs.y_lengths, pairs.unbatched), cost)


def _scaled(found: Tensor, pair_scale: Tensor | None) -> Tensor:
    return found if pair_scale is None else found * pair_scale.to(found)
