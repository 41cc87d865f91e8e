"""What the operators of `warplens.torch.operator` compute, given tensors with values.

Values are not looked at before an operator is called, so what the core refuses comes this far. It must give
NaN or +inf in its own pair, as the torch operations do by themselves.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from warplens._bands import Band, Itakura, SakoeChiba
from warplens.torch import core_backend, ops_backend, triton_backend
from warplens.torch.batches import CostMatrices, Pairs
from warplens.torch.settings import Backend, LocalCost, RecursionSettings


def solve_pairs(
    x: Tensor,
    y: Tensor,
    x_lengths: Tensor | None,
    y_lengths: Tensor | None,
    gamma: Tensor,
    step_weights: Tensor,
    feature_weights: Tensor | None,
    pos_weight: Tensor | None,
    cost: str,
    band: str | None,
    band_size: float,
    backend: Backend,
    wanted: Sequence[bool],
) -> tuple[Tensor, ...]:
    """Values (B,), and the wanted gradients in x, y, gamma (B,) and step weights (B,3)."""
    pairs = Pairs(x, y, x_lengths, y_lengths, unbatched=False)
    local_cost = LocalCost(cost, feature_weights, pos_weight)
    settings = RecursionSettings(gamma, step_weights, _as_band(band, band_size))
    if backend != "core":
        solve = triton_backend.solve_pairs if backend == "triton" else ops_backend.solve_pairs
        return _results(*solve(pairs, local_cost, settings, wanted), wanted, x)
    pairs, bad = _readable_pairs(pairs)
    settings, proper = _readable_settings(settings)
    names = [name for name, yes in zip(("x_grad", "y_grad"), wanted, strict=False) if yes]
    asked = [*names, *(["moments"] if any(wanted[2:]) else [])]
    found = core_backend.results_of_pairs(pairs, local_cost, settings, asked)
    gradients = [found.get(name) for name in ("x_grad", "y_grad", "gamma_grad", "step_weights_grad")]
    return _results(found["value"], gradients, wanted, x, bad, proper)


def solve_costs(
    C: Tensor,
    x_lengths: Tensor | None,
    y_lengths: Tensor | None,
    gamma: Tensor,
    step_weights: Tensor,
    band: str | None,
    band_size: float,
    backend: Backend,
    wanted: Sequence[bool],
) -> tuple[Tensor, ...]:
    """Values (B,), and the wanted gradients in C, gamma (B,) and step weights (B,3)."""
    matrices = CostMatrices(C, x_lengths, y_lengths, unbatched=False)
    settings = RecursionSettings(gamma, step_weights, _as_band(band, band_size))
    if backend == "triton":
        return _results(*triton_backend.solve_costs(matrices, settings, wanted), wanted, C)
    names = [name for name, yes in (("H", wanted[0]), ("moments", any(wanted[1:]))) if yes]
    if backend == "ops":
        found, bad, proper = ops_backend.results_of_costs(matrices, settings, names), None, True
    else:
        matrices, bad = _readable_costs(matrices)
        settings, proper = _readable_settings(settings)
        found = core_backend.results_of_costs(matrices, settings, names)
    gradients = [found.get(name) for name in ("H", "gamma_grad", "step_weights_grad")]
    return _results(found["value"], gradients, wanted, C, bad, proper)


def _as_band(kind: str | None, size: float) -> Band | None:
    if kind is None:
        return None
    return SakoeChiba(size) if kind == "sakoe_chiba" else Itakura(size)


def _readable_pairs(pairs: Pairs) -> tuple[Pairs, Tensor | None]:
    """The pairs with lengths that the core takes, and which had others; None: none had."""
    x_lengths, bad_x = _within(pairs.x_lengths, pairs.x.shape[1])
    y_lengths, bad_y = _within(pairs.y_lengths, pairs.y.shape[1])
    return Pairs(pairs.x, pairs.y, x_lengths, y_lengths, pairs.unbatched), _either(bad_x, bad_y)


def _readable_costs(matrices: CostMatrices) -> tuple[CostMatrices, Tensor | None]:
    """The same for cost matrices."""
    x_lengths, bad_x = _within(matrices.x_lengths, matrices.C.shape[1])
    y_lengths, bad_y = _within(matrices.y_lengths, matrices.C.shape[2])
    return CostMatrices(matrices.C, x_lengths, y_lengths, matrices.unbatched), _either(bad_x, bad_y)


def _within(lengths: Tensor | None, longest: int) -> tuple[Tensor | None, Tensor | None]:
    if lengths is None:
        return None, None
    bad = (lengths < 1) | (lengths > longest)
    return (lengths.clamp(1, longest), bad) if bad.any() else (lengths, None)


def _either(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else (a if b is None else a | b)


def _readable_settings(settings: RecursionSettings) -> tuple[RecursionSettings, bool]:
    """Settings that the core takes, and whether they are those given."""
    numbers = (settings.gamma, settings.step_weights)
    if all(bool((number.isfinite() & (number >= 0)).all()) for number in numbers):
        return settings, True
    gamma, step_weights = (torch.ones_like(number) for number in numbers)
    return RecursionSettings(gamma, step_weights, settings.band), False


def _results(
    value: Tensor,
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
    like: Tensor,
    bad: Tensor | None = None,
    proper: bool = True,
) -> tuple[Tensor, ...]:
    """The results, empty where not wanted: without a path in bad pairs, NaN under improper settings."""
    found = [
        gradient if yes and gradient is not None else like.new_empty(0)
        for gradient, yes in zip(gradients, wanted, strict=True)
    ]
    if bad is not None:
        value[bad] = torch.inf
        for gradient in found:
            if gradient.numel():
                gradient[bad] = 0.0
    if not proper:
        for result in (value, *found):
            result.fill_(torch.nan)
    return value, *found
