"""The matrix of pairwise soft DTW between two sets of series."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from warplens._bands import Band
from warplens.torch.dispatch import BackendName, choose_backend
from warplens.torch.inputs.batches import (
    Lengths,
    Pairs,
    dtype_of_loss,
    dtype_of_results,
)
from warplens.torch.inputs.series import Series, as_series
from warplens.torch.inputs.settings import (
    CostFunction,
    FeatureReduction,
    Weights,
    as_local_cost,
    as_recursion_settings,
    check_names,
    snapshot,
)
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

    The pairs are taken in blocks, so that memory holds a few of them; where gradients are asked for and there
    is more than one block, backward computes each block again.

    Args:
        xs: I series in the place of the predictions: tensors (N_i,D), or one (I,N,D) that is padded.
        ys: J series in the place of the targets, in either form; None is xs.
        x_lengths: (I,) ints, the frames of each series of a padded tensor; None: all.
        y_lengths: (J,) ints, the frames of each of ys.
        cost: this and the following as in `soft_dtw_loss`.
        gamma: softness.
        step_weights: (w_h, w_v, w_d).
        band: `warplens.SakoeChiba(radius)` or `warplens.Itakura(max_slope)`.
        feature_weights: (D,).
        pos_weight: (D,).
        feature_reduction: "sum" or "mean".
        backend: "core", "ops", "triton" or None.

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
    chosen = choose_backend(backend, rows.frames.device)
    dtype = dtype_of_loss(rows.frames, columns.frames)
    (count, N, D), (others, M, _) = rows.frames.shape, columns.frames.shape

    def values(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
        pairs = _paired(replace(rows, frames=x), replace(columns, frames=y), i, j)
        return values_of_pairs(pairs, local_cost, settings, None, chosen)

    of_cell = chosen.numbers_per_cell if chosen.takes(local_cost) else _NUMBERS_OF_MATRIX_CELL
    block = max(1, _MOST_NUMBERS // (N * D + M * D + of_cell * N * M))
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
    return torch.cat(results).view(count, others).to(dtype)


def _paired(rows: Series, columns: Series, i: Tensor, j: Tensor) -> Pairs:
    x, y = rows.frames[i], columns.frames[j]
    dtype = dtype_of_results(torch.promote_types(x.dtype, y.dtype))
    x_lengths = None if rows.lengths is None else rows.lengths[i]
    y_lengths = None if columns.lengths is None else columns.lengths[j]
    return Pairs(x.to(dtype), y.to(dtype), x_lengths, y_lengths, unbatched=False)
