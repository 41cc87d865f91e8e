"""Functions of sets of series: the matrix of pairwise soft DTW, and a barycenter."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.checkpoint import checkpoint

from warplens._bands import Band
from warplens._costs import MEAN_COSTS
from warplens._numbers import as_count, as_number
from warplens.torch.dispatch import BackendName, choose_backend
from warplens.torch.inputs.batches import (
    Lengths,
    Pairs,
    dtype_of_loss,
    dtype_of_results,
    lengths_or_all,
    widest_dtype,
)
from warplens.torch.inputs.series import Series, as_series, check_finite
from warplens.torch.inputs.settings import (
    CostFunction,
    FeatureReduction,
    Weights,
    as_local_cost,
    as_recursion_settings,
    check_names,
    snapshot,
)
from warplens.torch.values import mean_costs, results_of_pairs, values_of_pairs

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


@torch.no_grad()
def barycenter(
    xs: Tensor | Sequence[Tensor],
    weights: Weights | None = None,
    x_lengths: Lengths | None = None,
    *,
    init: Tensor | None = None,
    length: int | None = None,
    cost: str = "mse",
    gamma: float | Tensor = 1.0,
    step_weights: Weights = (1.0, 1.0, 1.0),
    band: Band | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
    backend: BackendName | None = None,
) -> Tensor:
    """Compute the series z that minimises sum_i weights[i] SDTW(z, x_i), on the device of the series.

    SDTW is concave in the costs, so at the alignments H_i of the present z its tangent lies above it, and the
    z that minimises the tangent is the mean of the modified targets, weighted by weights[i] h_i(n):

        z(n) <- sum_i weights[i] (H_i X_i)(n) / sum_i weights[i] h_i(n)

    Each iteration therefore lowers the objective or leaves it. The objective is that of M. Cuturi and
    M. Blondel, ICML 2017, who follow its gradient; here no step size is to be chosen. The objective is read
    from the device once an iteration. The result carries no gradient.

    Args:
        xs: I series of any lengths: tensors (L_i,D), or one (I,L,D) that is padded.
        weights: one number a series, none negative and not all 0; None is the same for all. They are
            normalised to sum 1.
        x_lengths: (I,) ints, the frames of each series of a padded tensor; None: all.
        init: the first z, (N,D); None takes the mean of all series stretched linearly to `length`.
        length: N of the default `init`; None is the rounded weighted mean length.
        cost: "mse", "sqeuclidean", "bce" or "poisson", for which the mean is the minimiser.
        gamma: as in `soft_dtw_loss`; z is in the place of the predictions.
        step_weights: (w_h, w_v, w_d).
        band: `warplens.SakoeChiba(radius)` or `warplens.Itakura(max_slope)`.
        max_iterations: an upper bound on the iterations.
        tolerance: stops when an iteration lowers the objective by no more than this share of the mean cost
            sum_i weights[i] <H_i, C_i> of the first alignments, a scale that follows that of the data.
        backend: "core", "ops", "triton" or None, as in `soft_dtw_loss`.

    Returns:
        z (N,D) in the dtype of the series, computed in float64 where the device has it.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: xs is empty, shapes do not fit, or a value is out of range or not finite, on any device.
    """
    check_names(cost, band=band)
    if cost not in MEAN_COSTS:
        raise ValueError(f"cost: a barycenter takes {', '.join(MEAN_COSTS)}, not {cost!r}")
    max_iterations = as_count("max_iterations", max_iterations)
    tolerance = as_number("tolerance", tolerance)
    given = as_series("xs", xs, x_lengths, cost, side=1)
    check_finite(given)
    dtype = dtype_of_loss(given.frames)
    exact = widest_dtype(given.frames.device)
    series = replace(given, frames=given.frames.to(exact))
    settings = as_recursion_settings(gamma, step_weights, band)
    normalized_weights = _normalized(weights, series)
    if init is None:
        z = _mean_of_stretched(series, normalized_weights, length)
    else:
        start = as_series("init", [init], None, cost, side=0)
        check_finite(start)
        series.check_fit(start)
        z = start.frames[0].to(exact)
    local_cost = as_local_cost(cost, None, None, "sum", features=z.shape[1])
    chosen = choose_backend(backend, z.device, local_cost)
    lowest, highest = _range(series, z)
    before = size = float("inf")
    for _ in range(max_iterations):
        pairs = _against_all(z, series)
        results = results_of_pairs(pairs, local_cost, settings, ["h", "y_mod", "moments"], chosen)
        objective = float(normalized_weights @ results["value"].to(exact))
        if objective == float("inf"):
            raise ValueError(f"band: leaves no path between a barycenter of {len(z)} frames and some series")
        if before == float("inf"):
            size = float((normalized_weights * mean_costs(results, settings).to(exact)).abs().sum())
        elif before - objective <= tolerance * size:
            break
        before = objective
        mass = normalized_weights[:, None] * results["h"]  # (I,N)
        total = mass.sum(dim=0)[:, None]
        moved = torch.einsum("in,ind->nd", mass, results["y_mod"]) / total
        # A frame on which no cost depends stays where it is; a mean lies in the range of its terms, which
        # rounding must not change.
        z = torch.where(total > 0, moved, z).clamp(lowest, highest)
    return z.to(dtype)


def _paired(rows: Series, columns: Series, i: Tensor, j: Tensor) -> Pairs:
    x, y = rows.frames[i], columns.frames[j]
    dtype = dtype_of_results(torch.promote_types(x.dtype, y.dtype))
    x_lengths = None if rows.lengths is None else rows.lengths[i]
    y_lengths = None if columns.lengths is None else columns.lengths[j]
    return Pairs(x.to(dtype), y.to(dtype), x_lengths, y_lengths, unbatched=False)


def _against_all(z: Tensor, series: Series) -> Pairs:
    count = len(series.frames)
    return Pairs(z.expand(count, *z.shape), series.frames, None, series.lengths, unbatched=False)


def _normalized(weights: Weights | None, series: Series) -> Tensor:
    count, like = len(series.frames), series.frames
    if weights is None:
        return like.new_full((count,), 1 / count)
    given = torch.as_tensor(weights, dtype=like.dtype, device=like.device)
    if given.shape != (count,):
        raise ValueError(
            f"weights: has shape {tuple(given.shape)}; one number for each of {count} series is accepted"
        )
    if not bool(given.isfinite().all() & (given >= 0).all() & (given.sum() > 0)):
        raise ValueError("weights: finite numbers, none negative and not all 0, are accepted")
    return given / given.sum()


def _mean_of_stretched(series: Series, normalized_weights: Tensor, length: int | None) -> Tensor:
    lengths = lengths_or_all(series.lengths, series.frames)
    n = round(float(normalized_weights @ lengths.to(normalized_weights.dtype)))
    if length is not None:
        n = as_count("length", length)
    stretched = [
        interpolate(frames[:own].T[None], size=n, mode="linear", align_corners=True)[0].T
        for frames, own in zip(series.frames, lengths.tolist(), strict=True)
    ]
    return torch.einsum("i,ind->nd", normalized_weights, torch.stack(stretched))


def _range(series: Series, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least and the greatest value (D,) of each feature."""
    frames = series.without_padding()
    lowest, highest = frames.amin(dim=(0, 1)), frames.amax(dim=(0, 1))
    return torch.minimum(lowest, z.amin(dim=0)), torch.maximum(highest, z.amax(dim=0))
