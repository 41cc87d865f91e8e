"""The matrix of pairwise soft DTW between two sets of series."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from warplens._bands import Band
from warplens.torch import library_operators
from warplens.torch.backends.protocol import Backend
from warplens.torch.backends.series_sets import gradients_of_sets, take_sets, values_of_sets
from warplens.torch.dispatch import BackendName, choose_backend
from warplens.torch.inputs.batches import (
    Lengths,
    Pairs,
    as_dtype,
    dtype_of_loss,
    dtype_of_results,
    promoted,
)
from warplens.torch.inputs.series import Series, as_series
from warplens.torch.inputs.settings import (
    CostFunction,
    FeatureReduction,
    LocalCost,
    RecursionSettings,
    Weights,
    as_local_cost,
    as_recursion_settings,
    check_names,
    snapshot,
)
from warplens.torch.inputs.torch_private import stands_for_many
from warplens.torch.values import values_of_pairs

_NUMBERS_OF_MATRIX_CELL = 8
"""Numbers of memory for each cell of a cost matrix, roughly."""

_MOST_NUMBERS = 2**24
"""Numbers in the copies, cost matrices or gradients of a block of pairs."""


def cdist(
    xs: Tensor | Sequence[Tensor],
    ys: Tensor | Sequence[Tensor] | None = None,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    cost: str | CostFunction = "mse",
    gamma: float | Tensor = 1.0,
    step_weights: Weights = (1.0, 1.0, 1.0),
    band: Band | None = None,
    feature_weights: Weights | None = None,
    pos_weight: Weights | None = None,
    feature_reduction: FeatureReduction = "sum",
    backend: BackendName | None = None,
) -> Tensor:
    """Compute SDTW of every x with every y, (I,J), differentiable in all of them.

    On the core, with a named cost, one compiled call computes all pairs and one more their gradients, or one
    both where two sets fit in a block; of one set with itself, where cost, step weights and band make SDTW
    symmetric, one half of the pairs serves both. Elsewhere the pairs are taken in blocks, so that memory
    holds a few of them; where gradients are asked for and there is more than one block, backward computes
    each block again.

    Args:
        xs: I series in the place of the predictions: tensors (N_i,D), or one (I,N,D) that is padded.
        ys: J series in the place of the targets, in either form; None is xs, and so is xs itself.
        x_lengths: (I,) ints, the frames of each series of a padded tensor; None: all.
        y_lengths: (J,) ints, the frames of each of ys.
        cost: this and the following as in `soft_dtw_loss`.
        gamma: softness.
        step_weights: (w_h, w_v, w_d).
        band: `warplens.SakoeChiba(radius)` or `warplens.Itakura(max_slope)`.
        feature_weights: (D,).
        pos_weight: (D,).
        feature_reduction: "sum" or "mean".
        backend: "core", "ops", "triton" or None, as in `soft_dtw_loss`.

    Returns:
        (I,J), in the dtype of the series, as `soft_dtw_loss` does; +inf where a pair has no path.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: A list is empty, shapes do not fit, or values are out of range; the message names the
            series.
    """
    check_names(cost, feature_weights, pos_weight, feature_reduction, band)
    rows = as_series("xs", xs, x_lengths, cost, side=0)
    columns = as_series("ys" if ys is not None else "xs", xs if ys is None else ys, y_lengths, cost, side=1)
    if ys is None and y_lengths is None:
        columns = replace(columns, lengths=rows.lengths)
    rows.check_fit(columns)
    local_cost = as_local_cost(
        cost, feature_weights, pos_weight, feature_reduction, features=rows.frames.shape[2]
    )
    settings = as_recursion_settings(gamma, step_weights, band)
    chosen = choose_backend(backend, rows.frames.device, local_cost)
    dtype = dtype_of_loss(rows.frames, columns.frames)
    computed = dtype_of_results(promoted(rows.frames.dtype, columns.frames.dtype))
    rows, columns = (replace(each, frames=as_dtype(each.frames, computed)) for each in (rows, columns))
    is_one_set = (ys is None and y_lengths is None) or (ys is xs and y_lengths is x_lengths)
    # Of two sets in one block the gradients come with the values, and need not be computed after them.
    fit = _pairs_of_block(rows, columns, local_cost, chosen) >= len(rows.frames) * len(columns.frames)
    is_saved = fit and not is_one_set
    is_saved &= _is_differentiated(rows.frames, columns.frames, settings.gamma, settings.step_weights)
    if take_sets(chosen, local_cost) and not library_operators.is_needed() and not is_saved:
        matrix = _matrix(rows, None if is_one_set else columns, local_cost, settings, chosen)
    else:
        matrix = _by_blocks(rows, columns, local_cost, settings, chosen)
    return as_dtype(matrix, dtype)


def _matrix(
    xs: Series, ys: Series | None, cost: LocalCost, settings: RecursionSettings, backend: Backend
) -> Tensor:
    """Return values (I,J) float64 from one call of the core, and their gradients from one more."""
    y = None if ys is None else ys.frames
    inputs = (xs.frames, y, settings.gamma, settings.step_weights)
    if _is_differentiated(*inputs):
        # Backward computes again: gamma and weights may have moved on by then.
        cost, settings = snapshot(cost, settings)
    values = _AllPairs.apply(  # type: ignore[no-untyped-call]
        (xs, ys, cost, settings, backend), xs.frames, y, settings.gamma, settings.step_weights
    )
    return cast(Tensor, values)


def _is_differentiated(*inputs: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(each is not None and each.requires_grad for each in inputs)


def _pairs_of_block(rows: Series, columns: Series, cost: LocalCost, backend: Backend) -> int:
    (_, N, D), (_, M, _) = rows.frames.shape, columns.frames.shape
    of_cell = backend.numbers_per_cell if backend.takes(cost) else _NUMBERS_OF_MATRIX_CELL
    return max(1, _MOST_NUMBERS // (N * D + M * D + of_cell * N * M))


class _AllPairs(torch.autograd.Function):
    """Values (I,J) of two sets of series, or of one with itself where y is None."""

    @staticmethod
    def forward(
        ctx: Any, of: Any, x: Tensor, y: Tensor | None, gamma: Tensor, step_weights: Tensor
    ) -> Tensor:
        xs, ys, cost, settings, backend = of
        ctx.save_for_backward(x, y, gamma, step_weights)
        # Autograd frees what it saved; the rest lives as long as the graph.
        ctx.lengths = xs.lengths, None if ys is None else ys.lengths
        ctx.settings = cost, replace(settings, gamma=gamma.detach(), step_weights=step_weights.detach())
        ctx.backend = backend
        return values_of_sets(xs, ys, cost, settings)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, y, gamma, step_weights = ctx.saved_tensors
        cost, settings = ctx.settings
        wanted = ctx.needs_input_grad[1:]
        xs = Series("xs", x, ctx.lengths[0])
        ys = None if y is None else Series("ys", y, ctx.lengths[1])
        is_asked = torch.is_grad_enabled()
        if not is_asked and not stands_for_many(upstream):
            shares = upstream.to(torch.float64)
            gradients = gradients_of_sets(xs, ys, shares, cost, settings, wanted)
            return None, *gradients
        # To be differentiated again, or for many factors at once: by operations that are.
        with torch.enable_grad():
            inputs: list[Any] = [
                None
                if each is None
                else (each.view_as(each) if is_asked else each.detach().requires_grad_(yes))
                for each, yes in zip((x, y, gamma, step_weights), wanted, strict=True)
            ]
            x, y, gamma, step_weights = inputs
            xs = replace(xs, frames=x)
            ys = xs if ys is None else replace(ys, frames=y)
            settings = replace(settings, gamma=gamma, step_weights=step_weights)
            matrix = _by_blocks(xs, ys, cost, settings, ctx.backend)
        asked = [each for each, yes in zip(inputs, wanted, strict=True) if yes]
        found = iter(torch.autograd.grad(matrix, asked, upstream.to(matrix.dtype), create_graph=is_asked))
        return None, *(next(found) if yes else None for yes in wanted)


def _by_blocks(
    rows: Series, columns: Series, local_cost: LocalCost, settings: RecursionSettings, chosen: Backend
) -> Tensor:
    """Return values (I,J) of pairs that are taken in blocks, so that memory holds a few of them.

    Where gradients are asked for and there is more than one block, backward computes each block again.
    """
    count, others = len(rows.frames), len(columns.frames)

    def values(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
        pairs = _paired(replace(rows, frames=x), replace(columns, frames=y), i, j)
        return values_of_pairs(pairs, local_cost, settings, None, chosen)

    block = _pairs_of_block(rows, columns, local_cost, chosen)
    pairs = torch.arange(count * others, device=rows.frames.device)
    blocks = [(k // others, k % others) for k in torch.split(pairs, block)]
    x, y = rows.frames, columns.frames
    if len(blocks) == 1 or not torch.is_grad_enabled():
        results = [values(x, y, i, j) for i, j in blocks]
    else:
        # Backward computes the blocks again: gamma and weights may have moved on by then. Series that were
        # changed in place autograd refuses, for they are arguments.
        local_cost, settings = snapshot(local_cost, settings)
        results = [
            checkpoint(values, x, y, i, j, use_reentrant=False, preserve_rng_state=False) for i, j in blocks
        ]
    return torch.cat(results).view(count, others)


def _paired(rows: Series, columns: Series, i: Tensor, j: Tensor) -> Pairs:
    x_lengths = None if rows.lengths is None else rows.lengths[i]
    y_lengths = None if columns.lengths is None else columns.lengths[j]
    return Pairs(rows.frames[i], columns.frames[j], x_lengths, y_lengths, unbatched=False)
