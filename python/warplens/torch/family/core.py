"""The general model through the compiled core, which copies tensors of other devices."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warplens import _core
from warplens._core import MOST_THREADS, NoPathError
from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.backends.core import as_array, as_tensors
from warplens.torch.family.model import BatchModel, Ends
from warplens.torch.inputs.batches import CostMatrices
from warplens.torch.inputs.masks import BatchShape

if TYPE_CHECKING:
    from warplens._core import ModelArgument

_NUMBERS = ("value", "entropy")
"""Results of one number a pair."""


def solve(matrices: CostMatrices, model: BatchModel, wanted: Sequence[bool]) -> Solution:
    """Return values (B,), and the wanted gradients in C and in the tensors of the model, for each pair."""
    tensors = model.tensors()
    of_entry, of_exit = _places_of_ends(model)
    of_C, of_gamma, *of_others = wanted
    names = [
        *(["H"] if of_C else []),
        *(["entropy"] if of_gamma else []),
        *(["gradients"] if any(of_others[: of_entry.start - 1]) else []),
        *(["begin"] if any(wanted[1:][of_entry]) else []),
        *(["end"] if any(wanted[1:][of_exit]) else []),
    ]
    results = _run(matrices, model, names)
    device = matrices.C.device
    gradients: list[Any] = [results.get("H"), -results["entropy"] if of_gamma else None]
    gradients += [None] * (len(tensors) - 1)
    if "gradients" in results:
        gradients[2 : 1 + of_entry.start] = results["gradients"]
    shape = BatchShape.of(matrices)
    for name, end, places, at_end in (
        ("begin", model.entry, of_entry, False),
        ("end", model.exit, of_exit, True),
    ):
        if name in results:
            used = torch.from_numpy(results[name])
            gradients[1 + places.start : 1 + places.stop] = _of_ends(used, end, shape, at_end=at_end)
    found = as_tensors({"value": results["value"]}, device)["value"]
    return Solution(
        found,
        [
            torch.as_tensor(gradient).to(tensor.dtype).contiguous().to(tensor.device) if yes else None
            for gradient, tensor, yes in zip(gradients, (matrices.C, *tensors), wanted, strict=True)
        ],
    )


def results(matrices: CostMatrices, model: BatchModel, names: Sequence[str]) -> dict[str, Tensor]:
    """Return `value` and the named ones of H, h, E, visits, entropy, step_posteriors, begin and end.

    They are padded with zeros and have no graph.
    """
    return as_tensors(_run(matrices, model, names), matrices.C.device)


def _places_of_ends(model: BatchModel) -> tuple[slice, slice]:
    """Return where costs to begin and to end stand among the tensors of the model."""
    cut = len(model.tensors()) - len(model.exit.costs)
    return slice(cut - len(model.entry.costs), cut), slice(cut, cut + len(model.exit.costs))


def _of_ends(used: Tensor, end: Ends, shape: BatchShape, *, at_end: bool) -> list[Tensor]:
    """Return the gradients in the costs of ends from the probabilities (B,N,M) to begin or to end."""
    if end.kind == "cells":
        (costs,) = end.costs
        axes = [axis for axis in (1, 2) if costs.shape[axis] == 1]
        return [used.sum(axes, keepdim=True) if axes else used]
    rows, columns = (index.cpu() for index in shape.ends())
    pair = torch.arange(shape.batch)
    along_row = used[pair, rows if at_end else 0].unsqueeze(1)  # (B,1,M)
    along_column = used[pair, :, columns if at_end else 0].unsqueeze(2)  # (B,N,1)
    if end.kind == "row":
        return [along_row]
    if end.kind == "border":  # the cell in which they cross is of the row
        along_column = along_column.clone()
        along_column[pair, rows if at_end else 0] = 0.0
        return [along_row, along_column]
    return [along_column]


def _run(matrices: CostMatrices, model: BatchModel, names: Sequence[str]) -> dict[str, Any]:
    """Return `value` and the named outputs of the core as arrays, padded with zeros.

    "gradients" is a list of arrays (B,n,m): in the weights, the penalties, the weights to begin and to end. A
    pair without a path has the value +inf and zeros, one with a cost, weight or penalty that is none NaN.
    """
    arrays = _Arrays(matrices, model)
    outputs = arrays.zeros(names)
    pairs = [b for b in range(len(arrays.C)) if arrays.is_ready(b, outputs)]
    costs = [arrays.costs(b) for b in pairs]
    models = [arrays.argument(b) for b in pairs]
    asked = [name for name in outputs if name != "value"]
    threads = min(torch.get_num_threads(), MOST_THREADS)
    found = _core.models_of_costs(costs, models=models, outputs=asked, threads=threads)
    for b, result in zip(pairs, found, strict=True):
        if isinstance(result, NoPathError):
            outputs["value"][b] = np.inf
        elif isinstance(result, Exception):
            raise result
        else:
            _write(outputs, b, result)
    return outputs


class _Arrays:
    """A batch and its model as arrays."""

    def __init__(self, matrices: CostMatrices, model: BatchModel) -> None:
        self.C = as_array(matrices.C)
        self._lengths = [
            None if lengths is None else lengths.tolist()
            for lengths in (matrices.x_lengths, matrices.y_lengths)
        ]
        self._sizes = model.sizes
        self._gamma = model.gamma.item() if model.is_hard is not True else 0.0
        self._weights, self._penalties = (
            [_as_floats(t) for t in ts] for ts in (model.weights, model.penalties)
        )
        self._entry_weight = _as_floats(model.entry_weight)
        none = np.zeros((1, 1, 1))
        self._exit_weight = none if model.exit_weight is None else _as_floats(model.exit_weight)
        self._entry, self._exit = (
            (end.kind, [_as_floats(costs) for costs in end.costs]) for end in (model.entry, model.exit)
        )
        self._of_gradients = [*self._weights, *self._penalties, self._entry_weight]
        if model.exit_weight is not None:
            self._of_gradients.append(self._exit_weight)

    def zeros(self, names: Sequence[str]) -> dict[str, Any]:
        """Return room for outputs."""
        B, N, M = self.C.shape
        dtype = self.C.dtype
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            "value": ((B,), np.float64),
            "entropy": ((B,), np.float64),
            "h": ((B, N), dtype),
            "visits": ((B, M), np.float64),
            "step_posteriors": ((B, len(self._sizes), N, M), dtype),
            **dict.fromkeys(("H", "E", "begin", "end"), ((B, N, M), dtype)),
        }
        outputs: dict[str, Any] = {
            name: np.zeros(shape, dtype)
            for name, (shape, dtype) in shapes.items()
            if name == "value" or name in names
        }
        if "gradients" in names:
            outputs["gradients"] = [np.zeros((B, *grid.shape[1:])) for grid in self._of_gradients]
        return outputs

    def is_ready(self, b: int, outputs: dict[str, Any]) -> bool:
        """Return True if a pair can be aligned; else its part of the outputs is written."""
        n, m = size = self._size(b)
        if not all(1 <= length <= whole for length, whole in zip(size, self.C.shape[1:], strict=True)):
            outputs["value"][b] = np.inf
            return False
        costs = self.C[b, :n, :m]
        if np.isnan(costs).any() or (costs == -np.inf).any() or not self._is_proper(b, n, m):
            _fill(outputs, b, n, m, np.nan)
            return False
        return True

    def costs(self, b: int) -> NDArray[Any]:
        """Return the cost matrix of a pair, cut to its lengths."""
        n, m = self._size(b)
        return np.ascontiguousarray(self.C[b, :n, :m])

    def argument(self, b: int) -> "ModelArgument":
        """Return the model of a pair as the compiled module takes it."""
        n, m = self._size(b)
        parts = zip(self._sizes, self._weights, self._penalties, strict=True)
        return {
            "gamma": self._gamma,
            "steps": [(i, j, _of_pair(w, b, n, m), _of_pair(p, b, n, m)) for (i, j), w, p in parts],
            "entry": _ends_argument(*self._entry, b, n, m),
            "exit": _ends_argument(*self._exit, b, n, m),
            "entry_weight": _of_pair(self._entry_weight, b, n, m),
            "exit_weight": _of_pair(self._exit_weight, b, n, m),
        }

    def _size(self, b: int) -> tuple[int, int]:
        n, m = (
            whole if lengths is None else lengths[b]
            for lengths, whole in zip(self._lengths, self.C.shape[1:], strict=True)
        )
        return n, m

    def _is_proper(self, b: int, n: int, m: int) -> bool:
        weights = [*self._weights, self._entry_weight, self._exit_weight]
        penalties = [*self._penalties, *self._entry[1], *self._exit[1]]
        return (
            0 <= self._gamma < np.inf
            and all(bool(((w >= 0) & (w < np.inf)).all()) for w in (_of_pair(w, b, n, m) for w in weights))
            and all(bool((p > -np.inf).all()) for p in (_of_pair(p, b, n, m) for p in penalties))
        )


def _write(outputs: dict[str, Any], b: int, found: Any) -> None:
    """Write the results of a pair into its slices."""
    for name, output in outputs.items():
        if name == "gradients":
            of_model = found["gradients"]
            ends = [of_model["entry_weight"], of_model["exit_weight"]]
            gradients = [*of_model["step_weights"], *of_model["step_penalties"], *ends]
            for to, gradient in zip(output, gradients, strict=False):
                to[b, : gradient.shape[0], : gradient.shape[1]] = gradient
        elif name in _NUMBERS:
            output[b] = found[name]
        else:
            part = found[name]
            output[b][tuple(slice(length) for length in part.shape)] = part


def _as_floats(tensor: Tensor) -> NDArray[np.float64]:
    return as_array(tensor.detach().cpu().to(torch.float64))


def _of_pair(grid: NDArray[np.float64], b: int, n: int, m: int) -> NDArray[np.float64]:
    return np.ascontiguousarray(grid[b if len(grid) > 1 else 0, :n, :m])


def _ends_argument(kind: str, costs: list[NDArray[np.float64]], b: int, n: int, m: int) -> Any:
    of_pair = [_of_pair(each, b, n, m) for each in costs]
    match kind:
        case "corner":
            return None
        case "row":
            return of_pair[0][0], None
        case "column":
            return None, np.ascontiguousarray(of_pair[0][:, 0])
        case "border":
            return of_pair[0][0], np.ascontiguousarray(of_pair[1][:, 0])
    return of_pair[0]


def _fill(outputs: dict[str, Any], b: int, n: int, m: int, number: float) -> None:
    sizes = {"h": (n,), "visits": (m,), "step_posteriors": (None, n, m), "value": (), "entropy": ()}
    for name, output in outputs.items():
        if name == "gradients":
            for to in output:
                to[b, :n, :m] = number
        else:
            size = sizes.get(name, (n, m))
            output[(b, *(slice(length) for length in size))] = number
