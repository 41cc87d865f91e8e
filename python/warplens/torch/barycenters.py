"""The soft-DTW barycenter: the series nearest to all of a set."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from warplens._bands import Band
from warplens._costs import MEAN_COSTS
from warplens._numbers import as_count, as_number
from warplens.torch.backends.protocol import Backend
from warplens.torch.backends.series_sets import SeriesSums, sums_of_series, take_sets
from warplens.torch.dispatch import BackendName, choose_backend
from warplens.torch.inputs.batches import (
    Lengths,
    Pairs,
    dtype_of_loss,
    lengths_or_all,
    widest_dtype,
)
from warplens.torch.inputs.series import Series, as_series, check_finite
from warplens.torch.inputs.settings import (
    LocalCost,
    RecursionSettings,
    Weights,
    as_local_cost,
    as_recursion_settings,
    check_names,
)
from warplens.torch.values import mean_costs, results_of_pairs


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
    r"""Compute the series z that minimises sum_i weights[i] SDTW(z, x_i), on the device of the series.

    SDTW is concave in the costs, so at the alignments H_i of the present z its tangent lies above it, and the
    z that minimises the tangent is the mean of the modified targets, weighted by weights[i] h_i(n):

    .. math::
        z(n) \leftarrow \frac{\sum_i \mathrm{weights}_i\, (H_i X_i)(n)}{\sum_i \mathrm{weights}_i\, h_i(n)}

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
        # The mean cost is read once.
        wants_cost = before == float("inf")
        if take_sets(chosen, local_cost):
            sums = sums_of_series(
                z, series, normalized_weights, local_cost, settings, wants_expected_cost=wants_cost
            )
        else:
            sums = _sums(z, series, normalized_weights, local_cost, settings, chosen, wants_cost)
        if sums.objective == float("inf"):
            raise ValueError(f"band: leaves no path between a barycenter of {len(z)} frames and some series")
        if wants_cost:
            size = sums.expected_cost
        elif before - sums.objective <= tolerance * size:
            break
        before = sums.objective
        mass = sums.mass[:, None].to(z)
        # A frame on which no cost depends stays where it is; a mean lies in the range of its terms, which
        # rounding must not change.
        z = torch.where(mass > 0, sums.moved.to(z) / mass, z).clamp(lowest, highest)
    return z.to(dtype)


def _sums(
    z: Tensor,
    series: Series,
    shares: Tensor,
    cost: LocalCost,
    settings: RecursionSettings,
    backend: Backend,
    wants_expected_cost: bool,
) -> SeriesSums:
    """Align z with every series by one batch of pairs, and sum."""
    names = ["h", "y_mod", *(["entropy"] if wants_expected_cost else [])]
    results = results_of_pairs(_against_all(z, series), cost, settings, names, backend)
    expected_cost = 0.0
    if wants_expected_cost:
        expected_cost = float((shares * mean_costs(results, settings).to(shares)).abs().sum())
    mass = shares[:, None] * results["h"]  # (I,N)
    moved = torch.einsum("in,ind->nd", mass, results["y_mod"])
    return SeriesSums(float(shares @ results["value"].to(shares)), expected_cost, mass.sum(dim=0), moved)


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
