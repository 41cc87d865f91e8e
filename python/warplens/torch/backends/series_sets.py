"""Sets of series through the compiled core: all pairs in one call.

Where a set is compared with itself and the cost, step weights and band make SDTW symmetric, each two pairs
that are mirror images are computed once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from warplens import _core
from warplens.torch.backends.core import as_array, as_optional_array, as_tensors, recursion_arguments
from warplens.torch.backends.protocol import Backend
from warplens.torch.inputs.series import Series
from warplens.torch.inputs.settings import LocalCost, RecursionSettings


@dataclass(frozen=True)
class SeriesSums:
    """Sums over series x_i of shares s_i at the alignments of z with each, on the CPU."""

    objective: float  # sum_i s_i SDTW(z, x_i), +inf where some series has no path to z
    expected_cost: float  # sum_i |s_i <H_i, C_i>|; 0 where it is not asked for
    mass: Tensor  # (N,) float64, sum_i s_i h_i
    moved: Tensor  # (N,D) float64, sum_i s_i h_i Y_mod_i


def take_sets(backend: Backend, cost: LocalCost) -> bool:
    """Return True if the functions below serve a backend: the core, with a named cost."""
    return backend.name == "core" and backend.takes(cost)


def values_of_sets(xs: Series, ys: Series | None, cost: LocalCost, settings: RecursionSettings) -> Tensor:
    """Return SDTW (I,J) float64 of every x with every y, +inf where there is no path; ys None is xs."""
    values = _core.pairwise_values(
        _arrays(xs),
        None if ys is None else _arrays(ys),
        **_arguments(cost, settings),
        may_be_infinite=True,
    )
    return as_tensors({"values": values}, xs.frames.device)["values"]


def gradients_of_sets(
    xs: Series,
    ys: Series | None,
    shares: Tensor,
    cost: LocalCost,
    settings: RecursionSettings,
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients of sum_ij shares(i,j) SDTW(x_i, y_j) in xs, ys, gamma and step weights.

    Those in the series are padded with zeros, of their dtype; with `ys` None, those in xs are of both sides.

    Args:
        xs: I series.
        ys: J series; None is xs.
        shares: (I,J) float64.
        cost: a named one.
        settings: of the recursion.
        wanted: for each of the four; others are None.
    """
    gradients: dict[str, Any] = {
        **_core.pairwise_gradients(
            _arrays(xs),
            None if ys is None else _arrays(ys),
            as_array(shares),
            **_arguments(cost, settings),
            xs_frames=xs.frames.shape[1] if wanted[0] else None,
            ys_frames=ys.frames.shape[1] if ys is not None and wanted[1] else None,
            moments=any(wanted[2:]),
        )
    }
    if "gamma_grad" in gradients:
        gradients["gamma_grad"] = as_array(torch.tensor(gradients["gamma_grad"], dtype=torch.float64))
    tensors = as_tensors(gradients, xs.frames.device)
    names = ("xs_grad", "ys_grad", "gamma_grad", "step_weights_grad")
    return [tensors[name] if yes else None for name, yes in zip(names, wanted, strict=True)]


def sums_of_series(
    z: Tensor,
    xs: Series,
    shares: Tensor,
    cost: LocalCost,
    settings: RecursionSettings,
    *,
    wants_expected_cost: bool,
) -> SeriesSums:
    """Align z (N,D) with every series, all float64, and sum."""
    sums = _core.barycenter_sums(
        as_array(z),
        _arrays(xs),
        as_array(shares),
        **_arguments(cost, settings),
        wants_expected_cost=wants_expected_cost,
    )
    if isinstance(sums, tuple):
        _, error = sums
        if isinstance(error, _core.NoPathError):
            return SeriesSums(torch.inf, torch.inf, z.new_zeros(len(z)), torch.zeros_like(z))
        raise error
    mass, moved = torch.from_numpy(sums["mass"]), torch.from_numpy(sums["moved"])
    return SeriesSums(sums["objective"], sums["expected_cost"], mass, moved)


def _arguments(cost: LocalCost, settings: RecursionSettings) -> dict[str, Any]:
    return {
        "cost": cost.kind,
        "feature_weights": as_optional_array(cost.feature_weights),
        "pos_weight": as_optional_array(cost.pos_weight),
        **recursion_arguments(settings),
    }


def _arrays(series: Series) -> list[NDArray[Any]]:
    """Return each series without its padding, of the memory of the tensor where it is on the CPU."""
    frames = as_array(series.frames)
    if series.lengths is None:
        return list(frames)
    return [own[:length] for own, length in zip(frames, series.lengths.tolist(), strict=True)]
