"""Alignment of one pair, of many pairs, or by a cost matrix; the value alone; the hard path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._alignment import Alignment, Path, steps_between
from ._bands import Band
from ._compute import compute, compute_one
from ._costs import CostFunction
from ._sequences import as_cost_matrix, as_pair, called_costs, check_dtype
from ._settings import AlignmentSettings
from ._step_weights import UNIT_WEIGHTS
from ._threads import check_threads, get_num_threads
from .family.general import align_matrix, align_pair, chosen_steps, is_plain
from .family.model import NO_PENALTIES, gamma_of
from .family.steps import Step


def align(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cost: str | CostFunction = "mse",
    gamma: float = 1.0,
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    band: Band | None = None,
    feature_weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    feature_reduction: str = "sum",
    dtype: DTypeLike | None = None,
    threads: int | None = None,
    steps: Sequence[Step] | None = None,
    step_penalties: Sequence[ArrayLike] = NO_PENALTIES,
    open_begin: str | None = None,
    open_end: str | None = None,
    skip_penalty: float | Sequence[float] = 0.0,
    minimum: str = "softmin",
) -> Alignment:
    r"""Align predictions x with targets y softly.

    .. math::
        D(n,m) = \min_\gamma\bigl\{ & w_h C(n,m) + D(n-1,m),\; w_v C(n,m) + D(n,m-1), \\
                                    & w_d C(n,m) + D(n-1,m-1) \bigr\}

    .. math::
        \min_\gamma(S) = -\gamma \log \sum_{s \in S} e^{-s/\gamma},\quad D(0,0) = 0,\quad
        D(n,0) = D(0,m) = \infty

    for n = 1..N prediction frames, m = 1..M target frames and the local cost C(n,m) = c(x_n, y_m) (Zeitler &
    Mueller, ISMIR 2025, eqs. 4 to 9).

    Other steps, a penalty for each step and ends that are open make it the general model of `align_costs`,
    computed in float64: amerced DTW has step_penalties (p, p, 0), subsequence DTW has open_begin = open_end
    = "y".

    Args:
        x: predictions (N,D) or (N,), float32 or float64; other dtypes are cast to float64.
        y: targets (M,D) or (M,).
        cost: "mse" (1/2 ||x-y||^2), "sqeuclidean", "bce" (probabilities, summed over features), "bce_logits",
            "ce" (probabilities), "ce_logits", "poisson" (rates), "poisson_log", "cosine", "euclidean", "l1",
            or a callable (x, y) -> C (N,M). Logs are clamped at -100.
        gamma: softness g, in units of the cost; 0 is hard DTW.
        step_weights: (w_h, w_v, w_d), see `StepWeights`.
        band: `SakoeChiba(radius)` or `Itakura(max_slope)`; None allows every cell.
        feature_weights: (D,), a factor on each feature's share of the cost.
        pos_weight: (D,), a factor on the positive part y log x of the BCE costs.
        feature_reduction: "sum" or "mean" over features.
        dtype: of inputs and results; None is that of `np.result_type(x, y)`.
        threads: None is `get_num_threads()`.
        steps: in place of the three steps and their weights, a sequence of `Step`.
        step_penalties: (b_h, b_v, b_d), added for each step of the kind, in units of the cost: numbers above
            -inf or arrays (N,1), (1,M) or (N,M); inf forbids.
        open_begin: "x" lets the path leave out frames of x at the beginning, "y" frames of y, "both" either;
            a path then begins at (n,1) or (1,m).
        open_end: the same at the end.
        skip_penalty: the cost of each frame that is left out, a number or (at the beginning, at the end).
        minimum: "softmin", or "hardmin" for gamma = 0.

    Returns:
        An `Alignment` with value, h, y_mod and x_grad computed (y_mod and x_grad where the cost has them);
        H, E, y_grad, entropy and the rest are computed on first access.

    Raises:
        ValueError: an empty sequence, different D, NaN or infinity in x or y, values outside the range of the
            cost, an unknown cost, negative or non-finite gamma or weights, no path within the band, steps
            beside step weights or penalties, a band beside any of these.
        TypeError: something that is not a number where one is needed.

    Example:
        >>> weak = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> strong = wl.expand(weak, [3, 1])
        >>> alignment = wl.align(strong, weak, gamma=0.1)
        >>> alignment.y_mod.round(2)
        array([[1., 0.],
               [1., 0.],
               [1., 0.],
               [0., 1.]])
    """
    settings = AlignmentSettings.of(
        cost=cost,
        gamma=gamma_of(minimum, gamma),
        step_weights=step_weights,
        band=band,
        feature_weights=feature_weights,
        pos_weight=pos_weight,
        feature_reduction=feature_reduction,
    )
    pair = as_pair(x, y, settings, dtype)
    if is_plain(steps, step_penalties, open_begin, open_end) and skip_penalty == 0:
        return _align_pair(settings, pair, threads)
    check_threads(threads)
    return align_pair(
        pair,
        settings,
        minimum=minimum,
        steps=chosen_steps(steps, step_weights, step_penalties),
        open_begin=open_begin,
        open_end=open_end,
        skip_penalty=skip_penalty,
    )


def align_in_full(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cost: str,
    gamma: float,
    step_weights: Sequence[float],
    band: Band | None = None,
    feature_weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    feature_reduction: str = "sum",
    threads: int | None = None,
) -> Alignment:
    """Align as `align`, with H and the entropy from the same sweep and without x_grad, for the analyses.

    In float32 this entropy is exact to about 1e-6 nats for each of the N + M frames; `Alignment.entropy` of
    `align` is a float64 sweep of its own, many times slower.
    """
    settings = AlignmentSettings.of(
        cost=cost,
        gamma=gamma,
        step_weights=step_weights,
        band=band,
        feature_weights=feature_weights,
        pos_weight=pos_weight,
        feature_reduction=feature_reduction,
    )
    outputs = ["h", "H", "entropy"]
    if settings.has_modified_targets:
        outputs.append("y_mod")
    pair = as_pair(x, y, settings, None)
    return _align_pair(settings, pair, threads, outputs)


def align_many(
    xs: Sequence[ArrayLike],
    ys: Sequence[ArrayLike],
    *,
    cost: str | CostFunction = "mse",
    gamma: float = 1.0,
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    band: Band | None = None,
    feature_weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    feature_reduction: str = "sum",
    dtype: DTypeLike | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
    errors: Literal["raise", "return"] = "raise",
) -> list[Any]:
    """Align pairs of any lengths, over threads, the longest first.

    Args:
        xs: predictions, each (N_i,D).
        ys: targets, each (M_i,D), as many.
        cost: this and the following as in `align`.
        gamma: see `align`.
        step_weights: see `align`.
        band: see `align`.
        feature_weights: see `align`.
        pos_weight: see `align`.
        feature_reduction: see `align`.
        dtype: see `align`.
        threads: see `align`.
        progress: called with (pairs done, pairs in all), at most 50 times, from the calling thread.
        errors: "raise" raises after all pairs ran and names the indices that failed; "return" puts the
            exception in the place of the result.

    Returns:
        A list of `Alignment` in the order of the inputs. Results do not depend on the number of threads.

    Example:
        >>> xs, ys = [np.eye(4), np.eye(4)[:3]], [np.eye(4)[:2], np.eye(4)[1:]]
        >>> [alignment.shape for alignment in wl.align_many(xs, ys)]
        [(4, 2), (3, 3)]
    """
    settings = AlignmentSettings.of(
        cost=cost,
        gamma=gamma,
        step_weights=step_weights,
        band=band,
        feature_weights=feature_weights,
        pos_weight=pos_weight,
        feature_reduction=feature_reduction,
    )
    if errors not in ("raise", "return"):
        raise ValueError(f'errors: is {errors!r}; accepted are "raise" and "return"')
    if len(xs) != len(ys):
        raise ValueError(f"ys: has {len(ys)} sequences, but xs has {len(xs)}; as many are accepted")
    dtype, threads = check_dtype(dtype), check_threads(threads)
    outcomes: list[Any] = [None] * len(xs)
    pairs: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
    features: int | None = None
    for index, (x, y) in enumerate(zip(xs, ys, strict=True)):
        try:
            pair = as_pair(x, y, settings, dtype, (f"xs[{index}]", f"ys[{index}]"))
            features = pair[0].shape[1] if features is None else features
            if pair[0].shape[1] != features:
                raise ValueError(
                    f"xs[{index}]: has D = {pair[0].shape[1]}; all pairs need the same D, here {features}"
                )
        except (TypeError, ValueError, MemoryError) as error:
            outcomes[index] = error
        else:
            pairs[index] = pair
    failed_before = len(xs) - len(pairs)
    for chunk in _chunks(list(pairs), None if progress is None else 50):
        for index, outcome in zip(
            chunk, _align_pairs(settings, [pairs[index] for index in chunk], threads), strict=True
        ):
            outcomes[index] = outcome
        if progress is not None:
            failed_before += len(chunk)
            progress(failed_before, len(xs))
    failures = [(index, outcome) for index, outcome in enumerate(outcomes) if isinstance(outcome, Exception)]
    if failures and errors == "raise":
        listed = "; ".join(f"pair {index}: {error}" for index, error in failures[:10])
        more = f"; and {len(failures) - 10} more" if len(failures) > 10 else ""
        raise ValueError(
            f'align_many: {len(failures)} of {len(xs)} pairs failed (errors="return" keeps the others): '
            f"{listed}{more}"
        ) from failures[0][1]
    return outcomes


def align_costs(
    C: ArrayLike,
    *,
    gamma: float = 1.0,
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    band: Band | None = None,
    threads: int | None = None,
    steps: Sequence[Step] | None = None,
    step_penalties: Sequence[ArrayLike] = NO_PENALTIES,
    entry: ArrayLike | None = None,
    exit: ArrayLike | None = None,
    entry_weight: ArrayLike | None = None,
    exit_weight: ArrayLike = 0.0,
    minimum: str = "softmin",
) -> Alignment:
    r"""Align by a cost matrix that the caller has, by the recursion of `align` or by any other of its family.

    With steps s of sizes (i_s, j_s), weights w_s and penalties b_s, two steps of one size being two choices,

    .. math::
        D(n,m) = \min_\gamma\bigl\{ & e(n,m) + w_0(n,m)\, C(n,m), \\
                 & w_s(n,m)\, C(n,m) + b_s(n,m) + D(n-i_s, m-j_s) \text{ for every } s \bigr\}

    .. math::
        \text{value} = \min_{\gamma;\, n,m}\bigl\{ D(n,m) + w_x(n,m)\, C(n,m) + x(n,m) \bigr\}

    Each parameter is a number, (N,1), (1,M) or (N,M). What differs from plain soft DTW is computed in
    float64.

    Args:
        C: (N,M), float32 or float64; +inf forbids a cell.
        gamma: softness; 0 is hard DTW.
        step_weights: (w_h, w_v, w_d).
        band: a global constraint.
        threads: None is `get_num_threads()`.
        steps: in place of the three steps and their weights, a sequence of `Step`.
        step_penalties: (b_h, b_v, b_d) of the three steps, above -inf; inf forbids.
        entry: e, the cost to begin at a cell, above -inf; inf forbids. None: 0 at the first cell, inf
            elsewhere.
        exit: x, the cost to end at a cell. None: 0 at the last cell, inf elsewhere.
        entry_weight: w_0; None is the weight of the first step (1,1), without one 1.
        exit_weight: w_x.
        minimum: "softmin", or "hardmin" for gamma = 0.

    Returns:
        An `Alignment` without y_mod and gradients for sequences, with value, H and h computed.

    Raises:
        NoPathError: every path is forbidden.
        ValueError: NaN or -inf in C, an empty matrix, weights that are negative or not finite, penalties of
            NaN or -inf, parameters of one dimension, steps beside step weights or penalties, a band beside
            any of these.

    Example:
        >>> wl.align_costs([[0.0, np.inf], [0.0, 0.0]]).path().indices.tolist()
        [[0, 0], [1, 1]]
    """
    settings = AlignmentSettings.of(
        cost="mse", gamma=gamma_of(minimum, gamma), step_weights=step_weights, band=band
    )
    costs = as_cost_matrix("C", C)
    threads = check_threads(threads)
    weighs_ends = not (isinstance(exit_weight, float) and exit_weight == 0)
    if weighs_ends or not is_plain(steps, step_penalties, entry, exit, entry_weight):
        return align_matrix(
            costs,
            settings,
            minimum=minimum,
            steps=chosen_steps(steps, step_weights, step_penalties),
            entry=entry,
            exit=exit,
            entry_weight=entry_weight,
            exit_weight=exit_weight,
        )
    results = compute_one(settings, x=None, y=None, costs=costs, outputs=["h", "H"], threads=threads)
    return Alignment(settings, costs=costs, results=results, threads=threads)


def soft_dtw(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cost: str | CostFunction = "mse",
    gamma: float = 1.0,
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    band: Band | None = None,
    feature_weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    feature_reduction: str = "sum",
    dtype: DTypeLike | None = None,
    threads: int | None = None,
) -> float:
    """Return SDTW = D(N,M) alone, in O(M) memory beside the inputs; errors as in `align`.

    Args:
        x: predictions (N,D) or (N,).
        y: targets (M,D) or (M,).
        cost: this and the following as in `align`.
        gamma: see `align`.
        step_weights: see `align`.
        band: see `align`.
        feature_weights: see `align`.
        pos_weight: see `align`.
        feature_reduction: see `align`.
        dtype: see `align`.
        threads: see `align`.

    Example:
        >>> wl.soft_dtw([0.0, 1.0, 1.0], [0.0, 1.0], gamma=0.0)
        0.0
    """
    settings = AlignmentSettings.of(
        cost=cost,
        gamma=gamma,
        step_weights=step_weights,
        band=band,
        feature_weights=feature_weights,
        pos_weight=pos_weight,
        feature_reduction=feature_reduction,
    )
    return float(_results_of_pair(settings, as_pair(x, y, settings, dtype), [], threads)["value"])


def hard_dtw(
    x: ArrayLike,
    y: ArrayLike,
    *,
    cost: str | CostFunction = "mse",
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    band: Band | None = None,
    feature_weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    feature_reduction: str = "sum",
    dtype: DTypeLike | None = None,
) -> Path:
    """Return the path of least accumulated cost, the limit gamma -> 0 of `align`.

    Ties go diagonal, then horizontal, then vertical. Errors as in `align`.

    Args:
        x: predictions (N,D) or (N,).
        y: targets (M,D) or (M,).
        cost: this and the following as in `align`.
        step_weights: see `align`.
        band: see `align`.
        feature_weights: see `align`.
        pos_weight: see `align`.
        feature_reduction: see `align`.
        dtype: see `align`.

    Returns:
        `Path(indices (L,2) int64, value, steps (L,))`, zero-based cells from (0,0) to (N-1,M-1).

    Example:
        >>> wl.hard_dtw([0.0, 1.0, 1.0], [0.0, 1.0]).indices.tolist()
        [[0, 0], [1, 1], [2, 1]]
    """
    settings = AlignmentSettings.of(
        cost=cost,
        gamma=0.0,
        step_weights=step_weights,
        band=band,
        feature_weights=feature_weights,
        pos_weight=pos_weight,
        feature_reduction=feature_reduction,
    )
    results = _results_of_pair(settings, as_pair(x, y, settings, dtype), ["path"], None)
    return Path(results["path"], float(results["path_value"]), steps_between(results["path"]))


def _align_pairs(
    settings: AlignmentSettings,
    pairs: list[tuple[NDArray[Any], NDArray[Any]]],
    threads: int | None,
    outputs: list[str] | None = None,
) -> list[Alignment | Exception]:
    """Align checked pairs; in the place of one that fails stands the error."""
    if callable(settings.cost):
        return [_align_by_callable(settings, x, y, threads) for x, y in pairs]
    if outputs is None:
        outputs = ["h", "x_grad", "y_mod"] if settings.has_modified_targets else ["h", "x_grad"]
    outcomes: dict[int, Alignment | Exception] = {}
    # One call a dtype: the compiled module takes pairs of one precision.
    for precision in (np.float32, np.float64):
        chosen = [index for index, (x, _) in enumerate(pairs) if x.dtype == precision]
        xs, ys = [pairs[index][0] for index in chosen], [pairs[index][1] for index in chosen]
        results = compute(settings, xs=xs, ys=ys, costs=None, outputs=outputs, threads=threads)
        for index, x, y, result in zip(chosen, xs, ys, results, strict=True):
            if isinstance(result, Exception):
                outcomes[index] = result
            else:
                outcomes[index] = Alignment(settings, x=x, y=y, results=result, threads=threads)
    return [outcomes[index] for index in range(len(pairs))]


def _align_by_callable(
    settings: AlignmentSettings, x: NDArray[Any], y: NDArray[Any], threads: int | None
) -> Alignment | Exception:
    assert callable(settings.cost)
    try:
        costs = called_costs(settings.cost, x, y)
        (result,) = compute(settings, xs=None, ys=None, costs=[costs], outputs=["h"], threads=threads)
    except Exception as error:  # whatever the caller's function raises stays with its pair
        return error
    if isinstance(result, Exception):
        return result
    return Alignment(settings, x=x, y=y, costs=costs, results=result, threads=threads)


def _align_pair(
    settings: AlignmentSettings,
    pair: tuple[NDArray[Any], NDArray[Any]],
    threads: int | None,
    outputs: list[str] | None = None,
) -> Alignment:
    (outcome,) = _align_pairs(settings, [pair], check_threads(threads), outputs)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _results_of_pair(
    settings: AlignmentSettings,
    pair: tuple[NDArray[Any], NDArray[Any]],
    outputs: list[str],
    threads: int | None,
) -> dict[str, Any]:
    costs = called_costs(settings.cost, *pair) if callable(settings.cost) else None
    return compute_one(
        settings, x=pair[0], y=pair[1], costs=costs, outputs=outputs, threads=check_threads(threads)
    )


def _chunks(indices: list[int], parts: int | None) -> list[list[int]]:
    if not indices:
        return []
    # Not so small that the threads wait for the last pair of each chunk.
    size = len(indices) if parts is None else max(-(-len(indices) // parts), 4 * get_num_threads())
    return [indices[start : start + size] for start in range(0, len(indices), size)]
