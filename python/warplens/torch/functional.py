"""Soft DTW of batches as functions: losses and alignments."""

from collections.abc import Sequence

import torch
from torch import Tensor

from warplens._bands import Band
from warplens._step_weights import UNIT_WEIGHTS
from warplens.family.model import NO_PENALTIES
from warplens.family.steps import Step
from warplens.torch.alignment import BatchAlignment, Compute
from warplens.torch.backends.protocol import Backend
from warplens.torch.dispatch import BackendName, choose_backend, choose_backend_of_model
from warplens.torch.family import values as model_values
from warplens.torch.family.model import BatchModel
from warplens.torch.family.settings import (
    Parameter,
    Penalties,
    SkipPenalty,
    check_no_divergence,
    model_of_costs,
    model_of_pairs,
    plain_model,
    softness_of,
)
from warplens.torch.inputs.batches import (
    Lengths,
    Pairs,
    as_cost_matrices,
    as_dtype,
    as_pairs,
    check_values,
    dtype_of_loss,
    lengths_or_all,
)
from warplens.torch.inputs.masks import BatchShape
from warplens.torch.inputs.reductions import pair_scale, reduced_values
from warplens.torch.inputs.settings import (
    Cost,
    FeatureReduction,
    LocalCost,
    Normalize,
    RecursionSettings,
    Reduction,
    Weights,
    as_gamma,
    as_local_cost,
    as_recursion_settings,
    check_names,
    check_reduction,
    check_symmetric,
    snapshot,
    snapshot_of_cost,
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

OF_MODEL = frozenset({"step_posteriors", "begin", "end", "visits"})
"""Results that the general model alone yields."""


def soft_dtw_loss(
    x: Tensor,
    y: Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    cost: Cost = "mse",
    gamma: float | Tensor = 1.0,
    step_weights: Weights = UNIT_WEIGHTS,
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
    steps: Sequence[Step] | None = None,
    step_penalties: Penalties = NO_PENALTIES,
    open_begin: str | None = None,
    open_end: str | None = None,
    skip_penalty: SkipPenalty = 0.0,
    minimum: str = "softmin",
) -> Tensor:
    r"""Weighted soft dynamic time warping of predictions x and targets y.

    With the local cost C(n,m) = c(x_n, y_m) and min_g(S) = -g log sum_{s in S} exp(-s/g),

    .. math::
        D(n,m) = \min_\gamma\bigl\{ & w_h C(n,m) + D(n-1,m),\; w_v C(n,m) + D(n,m-1), \\
                                    & w_d C(n,m) + D(n-1,m-1) \bigr\}

    .. math::
        D(0,0) = 0,\quad D(n,0) = D(0,m) = \infty,

    and the loss of a pair is D(N,M).

    Other steps, a penalty for each step and ends that are open make it the general model. With steps s of
    sizes (i_s, j_s), weights w_s and penalties b_s, costs e to begin and x to end,

        D(n,m) = min_g { e(n,m) + w_0(n,m) C(n,m),
                         w_s(n,m) C(n,m) + b_s(n,m) + D(n-i_s, m-j_s) for every s },

    and the loss of a pair is min_g over all cells { D(n,m) + x(n,m) }.

    e is 0 at (1,1) alone and x at (N,M) alone, unless ends are open; w_0 is the weight of the first step
    (1,1), else 1. Amerced DTW has step_penalties (p, p, 0), whose gradient is the expected number of warps;
    subsequence DTW has open_begin = open_end = "y".

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
            has passed, so take one plain step first. Triton takes plain soft DTW alone; with `steps` and the
            like None is the core or operations, and "triton" an error.
        steps: in place of the three steps and their weights, a sequence of `warplens.Step(n, m, weight,
            penalty)`, with weights that are finite and not negative, and penalties above -inf in the unit of
            the cost (inf forbids): a number, (N,1), (1,M) or (N,M) for the frame n, the target m or the cell
            at which the step arrives, or such with B in front. Tensors and parameters may require grad. N and
            M are the padded lengths.
        step_penalties: (b_h, b_v, b_d) of the three steps, likewise, or a tensor (3,).
        open_begin: "x" lets paths leave out frames of x at the beginning, "y" frames of y, "both" either; a
            path then begins at (n,1) or (1,m).
        open_end: the same at the end, which is that of each pair's lengths.
        skip_penalty: for each frame that is left out at an open end, a number or (begin, end); a tensor () or
            (2,) may require grad.
        minimum: "softmin", or "hardmin" for gamma = 0.

    Returns:
        (B,) or (), in the dtype of x and y, promoted; under autocast in float32 at least. x, y, gamma, step
        weights and penalties get gradients when they require them; a pair without a path is +inf with
        gradient 0, NaN stays in its own pair. Under `create_graph=True` the gradients can be differentiated
        once more in all of these, unless `sharp`; they are then made anew in float64, by way of the cost
        matrices. No forward mode (`torch.func.jvp`, and so `torch.func.hessian`): take
        `torch.autograd.functional.hessian`.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: Shapes do not fit, a sequence is empty, lengths, gamma or weights are out of range, or, on
            the CPU, probabilities or rates are; the message names the argument and the first offending index.
            Steps beside step weights or penalties, or a band, `debias` or `sharp` beside any of these.
        RuntimeError: When third derivatives are asked for, or second ones under `sharp`.

    Source: J. Zeitler and M. Mueller, ISMIR 2025; debias and sharp: M. Blondel, A. Mensch and J.-P. Vert,
    AISTATS 2021; amerced steps: M. Herrmann and G. I. Webb, Pattern Recognition 137 (2023); step patterns:
    H. Sakoe and S. Chiba, IEEE TASSP 1978; subsequences: M. Mueller, Information Retrieval for Music and
    Motion, 2007.
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
    model = model_of_pairs(
        BatchShape.of(pairs),
        gamma=gamma,
        step_weights=step_weights,
        band=band,
        steps=steps,
        step_penalties=step_penalties,
        open_begin=open_begin,
        open_end=open_end,
        skip_penalty=skip_penalty,
        minimum=minimum,
    )
    scale = pair_scale(
        pairs.x,
        pairs.y,
        pairs.x_lengths,
        pairs.y_lengths,
        reduction,
        normalize,
        unbatched=pairs.unbatched,
    )
    dtype = dtype_of_loss(x, y)
    if model is not None:
        check_no_divergence(debias=debias, sharp=sharp)
        by = choose_backend_of_model(backend, x.device)
        values = model_values.values_of_pairs(pairs, local_cost, model, scale, by)
        return as_dtype(
            reduced_values(values, reduction, unbatched=pairs.unbatched, zero_infinity=zero_infinity), dtype
        )
    settings = as_recursion_settings(softness_of(gamma, minimum), step_weights, band)
    chosen = choose_backend(backend, x.device, local_cost)
    if not (debias or sharp or zero_infinity) and (pairs.unbatched or reduction != "none"):
        return values_of_pairs(pairs, local_cost, settings, scale, chosen, total=dtype)
    function: Values = sharp_values_of_pairs if sharp else values_of_pairs
    if debias:
        function = divergence_of_pairs(function)
    values = function(pairs, local_cost, settings, scale, chosen)
    return as_dtype(
        reduced_values(values, reduction, unbatched=pairs.unbatched, zero_infinity=zero_infinity), dtype
    )


def soft_dtw_from_costs(
    C: Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    gamma: float | Tensor = 1.0,
    step_weights: Weights = UNIT_WEIGHTS,
    reduction: Reduction = "mean",
    normalize: Normalize = "none",
    band: Band | None = None,
    zero_infinity: bool = False,
    sharp: bool = False,
    backend: BackendName | None = None,
    steps: Sequence[Step] | None = None,
    step_penalties: Penalties = NO_PENALTIES,
    entry: Parameter | None = None,
    exit: Parameter | None = None,
    entry_weight: Parameter | None = None,
    exit_weight: Parameter = 0.0,
    minimum: str = "softmin",
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
        steps: as in `soft_dtw_loss`.
        step_penalties: as in `soft_dtw_loss`.
        entry: e, the cost to begin at a cell, above -inf; inf forbids. Shapes as for a penalty. None: 0 at
            the first cell, inf elsewhere.
        exit: x, the cost to end at a cell. None: 0 at the last cell of each pair, inf elsewhere.
        entry_weight: w_0, the weight of the cost at the cell where a path begins; None is that of the first
            step (1,1), without one 1.
        exit_weight: w_x: a path that ends at a cell is charged w_x(n,m) C(n,m) besides.
        minimum: "softmin", or "hardmin" for gamma = 0.

    Returns:
        (B,) or (), differentiable in C, gamma, weights, penalties and costs of ends, and once more under
        `create_graph=True`, unless `sharp`.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: A shape does not fit, or lengths, gamma, weights or (on the CPU) costs are out of range;
            steps beside step weights or penalties, or a band or `sharp` beside any of these.
        RuntimeError: When third derivatives are asked for, or second ones under `sharp`.
    """
    check_names(band=band)
    check_reduction(reduction, normalize)
    matrices = as_cost_matrices(C, x_lengths, y_lengths)
    model = model_of_costs(
        BatchShape.of(matrices),
        gamma=gamma,
        step_weights=step_weights,
        band=band,
        steps=steps,
        step_penalties=step_penalties,
        entry=entry,
        exit=exit,
        entry_weight=entry_weight,
        exit_weight=exit_weight,
        minimum=minimum,
    )
    scale = pair_scale(
        matrices.C,
        matrices.C.mT,
        matrices.x_lengths,
        matrices.y_lengths,
        reduction,
        normalize,
        unbatched=matrices.unbatched,
    )
    dtype = dtype_of_loss(C)
    if model is not None:
        check_no_divergence(debias=False, sharp=sharp)
        by = choose_backend_of_model(backend, C.device)
        values = model_values.values_of_costs(matrices, model, scale, by)
        return as_dtype(
            reduced_values(values, reduction, unbatched=matrices.unbatched, zero_infinity=zero_infinity),
            dtype,
        )
    settings = as_recursion_settings(softness_of(gamma, minimum), step_weights, band)
    chosen = choose_backend(backend, C.device)
    if not (sharp or zero_infinity) and (matrices.unbatched or reduction != "none"):
        return values_of_costs(matrices, settings, scale, chosen, total=dtype)
    function = sharp_values_of_costs if sharp else values_of_costs
    values = function(matrices, settings, scale, chosen)
    return as_dtype(
        reduced_values(values, reduction, unbatched=matrices.unbatched, zero_infinity=zero_infinity), dtype
    )


@torch.no_grad()
def align(
    x: Tensor,
    y: Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    cost: Cost = "mse",
    gamma: float | Tensor = 1.0,
    step_weights: Weights = UNIT_WEIGHTS,
    band: Band | None = None,
    feature_weights: Weights | None = None,
    pos_weight: Weights | None = None,
    feature_reduction: FeatureReduction = "sum",
    backend: BackendName | None = None,
    steps: Sequence[Step] | None = None,
    step_penalties: Penalties = NO_PENALTIES,
    open_begin: str | None = None,
    open_end: str | None = None,
    skip_penalty: SkipPenalty = 0.0,
    minimum: str = "softmin",
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
            matrices; "ops" holds no array of all cells but H and E where these are asked for. With `steps`
            and the like all goes by cost matrices.
        steps: as in `soft_dtw_loss`.
        step_penalties: (b_h, b_v, b_d).
        open_begin: "x", "y", "both" or None.
        open_end: the same at the end.
        skip_penalty: a number or (begin, end).
        minimum: "softmin" or "hardmin".

    Returns:
        A `BatchAlignment`; its tensors carry no gradient and are those of the undivided pairs. With `steps`,
        penalties or open ends paths may leave frames out: where h(n) < 1e-20, Y_mod is 0, and a frame with
        h < 0.05 is hardly taught, whatever its Y_mod.

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
    shape = BatchShape.of(pairs)
    model = model_of_pairs(
        shape,
        gamma=gamma,
        step_weights=step_weights,
        band=band,
        steps=steps,
        step_penalties=step_penalties,
        open_begin=open_begin,
        open_end=open_end,
        skip_penalty=skip_penalty,
        minimum=minimum,
    )
    # Settings may be changed between now and the first look at H.
    if model is not None:
        cost_then = snapshot_of_cost(local_cost)
        compute = _by_model(pairs, cost_then, _frozen(model), choose_backend_of_model(backend, x.device))
    else:
        settings = as_recursion_settings(softness_of(gamma, minimum), step_weights, band)
        cost_then, settings = snapshot(local_cost, settings)
        compute = _by_recursion(pairs, cost_then, settings, choose_backend(backend, x.device, cost_then))
    softness = as_gamma(softness_of(gamma, minimum)).clone()
    return BatchAlignment(
        compute,
        (x, y),
        lengths_or_all(pairs.x_lengths, pairs.x),
        lengths_or_all(pairs.y_lengths, pairs.y),
        describe=lambda: _described(pairs, cost_then, softness),
        cost=local_cost.name,
        has_modified_targets=local_cost.has_modified_targets,
        unbatched=pairs.unbatched,
        leaves_frames_out=model is not None,
    )


def _by_recursion(pairs: Pairs, cost: LocalCost, settings: RecursionSettings, backend: Backend) -> Compute:
    """Return the function that computes results of plain soft DTW."""

    def compute(names: Sequence[str]) -> dict[str, Tensor]:
        with torch.no_grad():
            if not OF_MODEL.isdisjoint(names):
                model = plain_model(BatchShape.of(pairs), settings)
                by = "core" if backend.name == "core" else "ops"
                results = model_values.results_of_pairs(pairs, cost, model, names, by, settings.band)
            else:
                results = results_of_pairs(pairs, cost, settings, names, backend)
        return {name: result.to(pairs.x.dtype) for name, result in results.items()}

    return compute


def _by_model(pairs: Pairs, cost: LocalCost, model: BatchModel, backend: str) -> Compute:
    """Return the function that computes results of a model."""

    def compute(names: Sequence[str]) -> dict[str, Tensor]:
        with torch.no_grad():
            results = model_values.results_of_pairs(pairs, cost, model, names, backend)
        return {name: result.to(pairs.x.dtype) for name, result in results.items()}

    return compute


def _frozen(model: BatchModel) -> BatchModel:
    return model.with_tensors([tensor.detach().clone() for tensor in model.tensors()])


def _described(pairs: Pairs, cost: LocalCost, gamma: Tensor) -> str:
    B, N, M = *pairs.x.shape[:2], pairs.y.shape[1]
    sizes = f"N={N} M={M}" if pairs.unbatched else f"B={B} N={N} M={M}"
    return f"{sizes} cost={cost.name} gamma={gamma.item():g}"
