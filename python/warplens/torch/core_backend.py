"""Pairs and cost matrices through the compiled core.

The core reads CPU tensors in place and computes exactly what is asked for. Tensors of another device are
copied to the CPU and the results back: the way of devices without float64.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warplens import _core
from warplens._core import MOST_THREADS
from warplens.torch.batches import CostMatrices, Pairs
from warplens.torch.costs import cost_matrix
from warplens.torch.ready_gradient import pair_values
from warplens.torch.second_derivative import CostsOf, CostSweeps, differentiable_gradient
from warplens.torch.settings import LocalCost, RecursionSettings


def values_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, shares: Tensor | None
) -> Tensor:
    """Soft DTW (B,) float64 of a named cost times `shares`, differentiable in x, y, gamma and weights."""

    def solve(wanted: Sequence[bool]) -> tuple[Tensor, Sequence[Tensor | None]]:
        names = [name for name, yes in zip(("x_grad", "y_grad"), wanted, strict=False) if yes]
        found = results_of_pairs(pairs, cost, settings, [*names, *(["moments"] if any(wanted[2:]) else [])])
        return found["value"], _only(wanted, found, ("x_grad", "y_grad", "gamma_grad", "step_weights_grad"))

    again = partial(differentiable_gradient, _costs_of_pairs(pairs, cost), _sweeps(pairs, settings))
    return pair_values(solve, again, (pairs.x, pairs.y), (settings.gamma, settings.step_weights), shares)


def values_of_costs(matrices: CostMatrices, settings: RecursionSettings, shares: Tensor | None) -> Tensor:
    """Soft DTW (B,) float64 of cost matrices times `shares`, differentiable in C, gamma and step weights."""

    def solve(wanted: Sequence[bool]) -> tuple[Tensor, Sequence[Tensor | None]]:
        names = [name for name, yes in (("H", wanted[0]), ("moments", any(wanted[1:]))) if yes]
        found = results_of_costs(matrices, settings, names)
        return found["value"], _only(wanted, found, ("H", "gamma_grad", "step_weights_grad"))

    again = partial(differentiable_gradient, _costs_alone, _sweeps(matrices, settings))
    return pair_values(solve, again, (matrices.C,), (settings.gamma, settings.step_weights), shares)


def results_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, names: Sequence[str]
) -> dict[str, Tensor]:
    """`value` and the named outputs of the core, padded with zeros."""
    assert isinstance(cost.kind, str)
    found = _core.align_padded(
        _as_array(pairs.x),
        _as_array(pairs.y),
        x_lengths=_as_optional_array(pairs.x_lengths),
        y_lengths=_as_optional_array(pairs.y_lengths),
        cost=cost.kind,
        feature_weights=_as_optional_array(cost.feature_weights),
        pos_weight=_as_optional_array(cost.pos_weight),
        outputs=names,
        **_recursion_arguments(settings),
    )
    return _as_tensors(found, pairs.x.device)


def results_of_costs(
    matrices: CostMatrices, settings: RecursionSettings, names: Sequence[str]
) -> dict[str, Tensor]:
    """`value` and the named outputs of the core, padded with zeros."""
    found = _core.costs_padded(
        _as_array(matrices.C),
        x_lengths=_as_optional_array(matrices.x_lengths),
        y_lengths=_as_optional_array(matrices.y_lengths),
        outputs=names,
        **_recursion_arguments(settings),
    )
    return _as_tensors(found, matrices.C.device)


# What serves second derivatives lives as long as the graph. It must not hold inputs, which autograd frees.


def _costs_of_pairs(pairs: Pairs, cost: LocalCost) -> CostsOf:
    """How cost matrices on the CPU are made of sequences that have the lengths of these."""
    lengths = (_as_cpu(pairs.x_lengths), _as_cpu(pairs.y_lengths), pairs.unbatched)

    def costs_of(inputs: Sequence[Tensor]) -> Tensor:
        x, y = (sequences.cpu() for sequences in inputs)
        return cost_matrix(Pairs(x, y, *lengths), cost, twice=True)

    return costs_of


def _costs_alone(inputs: Sequence[Tensor]) -> Tensor:
    return inputs[0].cpu().to(torch.float64)


def _sweeps(lengths: Pairs | CostMatrices, settings: RecursionSettings) -> CostSweeps:
    """Sweeps over cost matrices (B,N,M) on the CPU, of pairs that have these lengths."""
    x_lengths, y_lengths, band = lengths.x_lengths, lengths.y_lengths, settings.band

    def gradient(C: Tensor, gamma: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        matrices = CostMatrices(C, x_lengths, y_lengths, unbatched=False)
        found = results_of_costs(matrices, RecursionSettings(gamma, weights, band), ["H", "moments"])
        return found["H"], found["gamma_grad"], found["step_weights_grad"]

    def tangent(
        C: Tensor, gamma: Tensor, weights: Tensor, C_along: Tensor, gamma_along: Tensor, weights_along: Tensor
    ) -> tuple[Tensor, ...]:
        horizontal, vertical, diagonal = weights_along.tolist()
        found = _core.tangent_padded(
            _as_array(C),
            _as_array(C_along),
            x_lengths=_as_optional_array(x_lengths),
            y_lengths=_as_optional_array(y_lengths),
            gamma_direction=float(gamma_along),
            step_weights_direction=(horizontal, vertical, diagonal),
            **_recursion_arguments(RecursionSettings(gamma, weights, band)),
        )
        changes = _as_tensors(found, C.device)
        return changes["value"], changes["H"], changes["gamma_grad"], changes["step_weights_grad"]

    return CostSweeps(gradient, tangent)


def _recursion_arguments(settings: RecursionSettings) -> dict[str, Any]:
    horizontal, vertical, diagonal = settings.step_weights.tolist()
    return {
        "gamma": float(settings.gamma.detach()),
        "step_weights": (horizontal, vertical, diagonal),
        "band": None if settings.band is None else settings.band.as_core(),
        "threads": min(torch.get_num_threads(), MOST_THREADS),
    }


def _as_array(tensor: Tensor) -> NDArray[Any]:
    """A view of the tensor's memory where it is contiguous and on the CPU, a copy elsewhere."""
    return np.asarray(tensor.detach().cpu().contiguous().numpy())


def _as_cpu(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.cpu()


def _as_optional_array(tensor: Tensor | None) -> NDArray[Any] | None:
    return None if tensor is None else _as_array(tensor)


def _as_tensors(found: dict[str, NDArray[Any]], device: torch.device) -> dict[str, Tensor]:
    tensors = {name: torch.from_numpy(array) for name, array in found.items()}
    if device.type == "mps":  # it has no float64
        tensors = {name: tensor.to(torch.float32) for name, tensor in tensors.items()}
    return {name: tensor.to(device) for name, tensor in tensors.items()}


def _only(wanted: Sequence[bool], found: dict[str, Tensor], names: Sequence[str]) -> list[Tensor | None]:
    return [found[name] if yes else None for name, yes in zip(names, wanted, strict=True)]
