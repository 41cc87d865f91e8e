"""Soft DTW of batches as functions: losses and alignments."""

from collections.abc import Sequence

import torch
from torch import Tensor

from warplens._bands import Band
from warplens.torch.alignment import BatchAlignment
from warplens.torch.dispatch import BackendName, choose_backend
from warplens.torch.inputs.batches import (
    CostMatrices,
    Lengths,
    Pairs,
    as_cost_matrices,
    as_dtype,
    as_pairs,
    check_values,
    dtype_of_loss,
    lengths_or_all,
)
from warplens.torch.inputs.settings import (
    Cost,
    FeatureReduction,
    LocalCost,
    Normalize,
    RecursionSettings,
    Reduction,
    Weights,
    as_local_cost,
    as_recursion_settings,
    check_names,
    check_reduction,
    check_symmetric,
    snapshot,
)
from warplens.torch.values import (
    Values,
    divergence_of_pairs,
    results_of_pairs,
    sharp_values_of_costs,
    sharp_values_of_pairs,
    values_of_costs,
    values_of_pairs,
)


def soft_dtw_loss(
    x: Tensor,
    y: Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    cost: Cost = "mse",
    gamma: float | Tensor = 1.0,
    step_weights: Weights = (1.0, 1.0, 1.0),
    reduction: Reduction = "mean",
    normalize: Normalize = "none",
    band: Band | None = None,
    zero_infinity: bool = False,
    debias: bool = False,
    sharp: bool = False,
    feature_weights: Weights | None = None,
    pos_weight: Weights | None = None,
    feature_reduction: FeatureReduction = "sum",
    backend: BackendName | None = None,
) -> Tensor:
    r"""Weighted soft dynamic time warping of predictions x and targets y.

    With the local cost C(n,m) = c(x_n, y_m) and min_g(S) = -g log sum_{s in S} exp(-s/g),

    .. math::
        D(n,m) = \min_\gamma\bigl\{ & w_h C(n,m) + D(n-1,m),\; w_v C(n,m) + D(n,m-1), \\
                                    & w_d C(n,m) + D(n-1,m-1) \bigr\}

    .. math::
        D(0,0) = 0,\quad D(n,0) = D(0,m) = \infty,

    and the loss of a pair is D(N,M).

    It is a soft minimum over all alignments, so it can be negative: -g times the logarithm of a sum of many
    terms. Its gradient in x is that of the element-wise cost against the modified targets, times h(n); see
    `align`.

    Args:
        x: (B,N,D) predictions, or (N,D). float64 is computed in float64; float32, float16 and bfloat16 in
            float32.
        y: (B,M,D) targets, or (M,D), on the device of x. The two dtypes are promoted; integers become x's
            dtype.
        x_lengths: (B,) ints, the prediction frames of each pair, as tensor or sequence; None: all N. What
            lies behind them is never read, and its gradient is 0.
        y_lengths: (B,) ints, and the target frames.
        cost: "mse" 1/2|x-y|^2, "sqeuclidean" |x-y|^2, "bce", "bce_logits", "ce" (probabilities), "ce_logits",
            "poisson" (rates), "poisson_log" (log-rates), "cosine" 1-cos, "euclidean" |x-y|, "l1"; or a
            callable that takes x (B,N,D) and y (B,M,D) and gives C (B,N,M). Logs are clamped at -100.
        gamma: softness, in the unit of the cost; 0 is hard DTW, ties going diagonal, horizontal, vertical.
        step_weights: (w_h, w_v, w_d): target repeated, target advanced within a frame, both advance.
        reduction: "none" gives (B,), "mean" the plain mean over pairs, "sum" the sum.
        normalize: divide each pair first by its "x_length" N, "y_length" M or "both" N+M; "none" does not.
        band: `warplens.SakoeChiba(radius)` or `warplens.Itakura(max_slope)`, laid into each pair by its
            lengths.
        zero_infinity: count a pair without a path as 0 instead of +inf.
        debias: take the divergence S(x,y) - 1/2 S(x,x) - 1/2 S(y,y), 0 where x = y, S being SDTW or its sharp
            value. For "mse", "sqeuclidean", "cosine", "euclidean", "l1" and callables, which must keep
            c(x,y) = c(y,x). Lengths may differ.
        sharp: take <H,C>, the mean cost of the alignments without their entropy, as S instead of SDTW =
            <H,C> - gamma entropy. Its gradient costs one more sweep forward and back, in float64 and with C,
            and cannot be differentiated again.
        feature_weights: (D,) weight of each feature in the cost.
        pos_weight: (D,) weight of the positive part, for "bce" and "bce_logits".
        feature_reduction: "sum" over features, or "mean".
        backend: "core" (the compiled core), "ops" (torch operations), "triton" (kernels for NVIDIA devices,
            with memory that grows with N+M, not N*M, for costs that have modified targets), or None: what the
            environment variable WARPLENS_BACKEND names; where it is not set, the core on the CPU and on
            devices without float64 (which copies), Triton on NVIDIA devices where it is installed and passes
            its check, torch operations elsewhere, and there for "l1" and "euclidean", of which they need no
            matrix. The check holds a few small batches against the core at first use on a device, once a
            process, and compiles kernels for it (some ten seconds the first time on a machine); where it
            fails, one RuntimeWarning says so. It never runs inside `torch.compile`, `torch.func`,
            `torch.jit.trace`, the capture of a CUDA graph or a dispatch mode: there operations serve until it
            has passed, so take one plain step first.

    Returns:
        (B,) or (), in the dtype of x and y, promoted; under autocast in float32 at least. x, y, gamma and
        step weights get gradients when they require them; a pair without a path is +inf with gradient 0, NaN
        stays in its own pair. Under `create_graph=True` the gradients can be differentiated once more in all
        of these, unless `sharp`; they are then made anew in float64, by way of the cost matrices. No forward
        mode (`torch.func.jvp`, and so `torch.func.hessian`): take `torch.autograd.functional.hessian`.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: Shapes do not fit, a sequence is empty, lengths, gamma or weights are out of range, or, on
            the CPU, probabilities or rates are; the message names the argument and the first offending index.
        RuntimeError: When third derivatives are asked for, or second ones under `sharp`.

    Source: J. Zeitler and M. Mueller, ISMIR 2025; debias and sharp: M. Blondel, A. Mensch and J.-P. Vert,
    AISTATS 2021.
    """
    check_names(cost, feature_weights, pos_weight, feature_reduction, band)
    check_reduction(reduction, normalize)
    pairs = as_pairs(x, y, x_lengths, y_lengths)
    local_cost = as_local_cost(
        cost, feature_weights, pos_weight, feature_reduction, features=pairs.x.shape[2]
    )
    check_values(pairs, local_cost.kind)
    if debias:
        check_symmetric(cost)
    settings = as_recursion_settings(gamma, step_weights, band)
    chosen = choose_backend(backend, x.device, local_cost)
    pair_scale = _pair_scale(pairs, pairs.x, pairs.y, reduction, normalize)
    dtype = dtype_of_loss(x, y)
    if not (debias or sharp or zero_infinity) and (pairs.unbatched or reduction != "none"):
        return values_of_pairs(pairs, local_cost, settings, pair_scale, chosen, total=dtype)
    function: Values = sharp_values_of_pairs if sharp else values_of_pairs
    if debias:
        function = divergence_of_pairs(function)
    values = function(pairs, local_cost, settings, pair_scale, chosen)
    return as_dtype(_reduce(values, pairs.unbatched, reduction, zero_infinity), dtype)


def soft_dtw_from_costs(
    C: Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    gamma: float | Tensor = 1.0,
    step_weights: Weights = (1.0, 1.0, 1.0),
    reduction: Reduction = "mean",
    normalize: Normalize = "none",
    band: Band | None = None,
    zero_infinity: bool = False,
    sharp: bool = False,
    backend: BackendName | None = None,
) -> Tensor:
    """Compute soft DTW of given cost matrices; the gradient in C is the soft alignment H.

    Args:
        C: (B,N,M) costs, or (N,M); +inf forbids a cell. dtypes as in `soft_dtw_loss`.
        x_lengths: (B,) ints, the rows of each pair; None: all N. Cells outside a pair are never read.
        y_lengths: (B,) ints, and the columns.
        gamma: As in `soft_dtw_loss`, and so the rest.
        step_weights: (w_h, w_v, w_d).
        reduction: "none", "mean" or "sum".
        normalize: "none", "x_length", "y_length" or "both".
        band: `warplens.SakoeChiba(radius)` or `warplens.Itakura(max_slope)`.
        zero_infinity: count a pair without a path as 0 instead of +inf.
        sharp: take <H,C> instead of SDTW.
        backend: "core", "ops", "triton" or None, as in `soft_dtw_loss`.

    Returns:
        (B,) or (), differentiable in C, gamma and step weights, and once more under `create_graph=True`,
        unless `sharp`.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: A shape does not fit, or lengths, gamma, weights or (on the CPU) costs are out of range.
        RuntimeError: When third derivatives are asked for, or second ones under `sharp`.
    """
    check_names(band=band)
    check_reduction(reduction, normalize)
    matrices = as_cost_matrices(C, x_lengths, y_lengths)
    settings = as_recursion_settings(gamma, step_weights, band)
    pair_scale = _pair_scale(matrices, matrices.C, matrices.C.mT, reduction, normalize)
    chosen, dtype = choose_backend(backend, C.device), dtype_of_loss(C)
    if not (sharp or zero_infinity) and (matrices.unbatched or reduction != "none"):
        return values_of_costs(matrices, settings, pair_scale, chosen, total=dtype)
    function = sharp_values_of_costs if sharp else values_of_costs
    values = function(matrices, settings, pair_scale, chosen)
    return as_dtype(_reduce(values, matrices.unbatched, reduction, zero_infinity), dtype)


@torch.no_grad()
def align(
    x: Tensor,
    y: Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    cost: Cost = "mse",
    gamma: float | Tensor = 1.0,
    step_weights: Weights = (1.0, 1.0, 1.0),
    band: Band | None = None,
    feature_weights: Weights | None = None,
    pos_weight: Weights | None = None,
    feature_reduction: FeatureReduction = "sum",
    backend: BackendName | None = None,
) -> BatchAlignment:
    """Align every pair: soft alignment, its row sums, and the modified targets that the loss teaches.

    With H = dSDTW/dC, h(n) = sum_m H(n,m) and Y_mod = (H / h) Y, the gradient of soft DTW in x_n is h(n)
    times that of the element-wise cost c(x_n, y_mod_n), for every cost whose gradient is affine in y.

    Args:
        x: As in `soft_dtw_loss`, and so all others.
        y: (B,M,D) or (M,D).
        x_lengths: (B,) ints or None.
        y_lengths: (B,) ints or None.
        cost: name or callable; a callable, "euclidean" and "l1" have no modified targets.
        gamma: softness; 0 gives the hard alignment.
        step_weights: (w_h, w_v, w_d).
        band: `warplens.SakoeChiba(radius)` or `warplens.Itakura(max_slope)`.
        feature_weights: (D,).
        pos_weight: (D,).
        feature_reduction: "sum" or "mean".
        backend: "core", "ops", "triton" or None, as in `soft_dtw_loss`. Triton makes alignments from cost
            matrices; "ops" holds no array of all cells but H and E where these are asked for.

    Returns:
        A `BatchAlignment`; its tensors carry no gradient and are those of the undivided pairs.

    Raises:
        TypeError: As in `soft_dtw_loss`.
        ValueError: As in `soft_dtw_loss`.

    Source: J. Zeitler and M. Mueller, ISMIR 2025, eq. 14 and 17.
    """
    check_names(cost, feature_weights, pos_weight, feature_reduction, band)
    pairs = as_pairs(x, y, x_lengths, y_lengths)
    local_cost = as_local_cost(
        cost, feature_weights, pos_weight, feature_reduction, features=pairs.x.shape[2]
    )
    check_values(pairs, local_cost.kind)
    settings = as_recursion_settings(gamma, step_weights, band)
    # Gamma and weights may be changed between now and the first look at H.
    local_cost, settings = snapshot(local_cost, settings)
    chosen = choose_backend(backend, x.device, local_cost)

    def compute(names: Sequence[str]) -> dict[str, Tensor]:
        with torch.no_grad():
            results = results_of_pairs(pairs, local_cost, settings, names, chosen)
        return {name: result.to(pairs.x.dtype) for name, result in results.items()}

    return BatchAlignment(
        compute,
        (x, y),
        lengths_or_all(pairs.x_lengths, pairs.x),
        lengths_or_all(pairs.y_lengths, pairs.y),
        describe=lambda: _described(pairs, local_cost, settings),
        cost=local_cost.name,
        has_modified_targets=local_cost.has_modified_targets,
        unbatched=pairs.unbatched,
    )


def _described(pairs: Pairs, cost: LocalCost, settings: RecursionSettings) -> str:
    B, N, M = *pairs.x.shape[:2], pairs.y.shape[1]
    sizes = f"N={N} M={M}" if pairs.unbatched else f"B={B} N={N} M={M}"
    return f"{sizes} cost={cost.name} gamma={settings.gamma.item():g}"


def _pair_scale(
    batch: Pairs | CostMatrices, rows: Tensor, columns: Tensor, reduction: Reduction, normalize: Normalize
) -> Tensor | None:
    """Return the factor (B,) float64 of each pair before the pairs are summed; None: all 1."""
    divisor: Tensor | None = None
    # Lengths below 1 are refused where they can be read; elsewhere the pair has no path and stays +inf.
    if normalize in ("x_length", "both"):
        divisor = lengths_or_all(batch.x_lengths, rows).clamp(min=1)
    if normalize in ("y_length", "both"):
        targets = lengths_or_all(batch.y_lengths, columns).clamp(min=1)
        divisor = targets if divisor is None else divisor + targets
    pairs = len(rows) if reduction == "mean" and not batch.unbatched else 1
    if divisor is None:
        return rows.new_full((len(rows),), 1 / pairs, dtype=torch.float64) if pairs > 1 else None
    return 1 / (divisor * pairs).to(torch.float64)


def _reduce(values: Tensor, unbatched: bool, reduction: Reduction, zero_infinity: bool) -> Tensor:
    """Reduce scaled values (B,) to the loss."""
    if zero_infinity:
        values = torch.where(values == torch.inf, 0.0, values)
    if unbatched:
        return values[0]
    return values if reduction == "none" else values.sum()
