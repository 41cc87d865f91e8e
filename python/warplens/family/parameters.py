"""Weights and penalties of the model: a number, or one for each frame, target or cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens._sequences import as_real_array

SHAPES = "a number, (N,1), (1,M) or (N,M)"
"""The shapes that a parameter can have; (N,) and (M,) could not be told apart where N = M."""

WEIGHTS = "weights are finite and not negative, forbid by a penalty of inf"
PENALTIES = "penalties are numbers above -inf, and inf forbids"


def as_weight(name: str, value: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Check a weight, finite and not negative, and return it as (1,1), (N,1), (1,M) or (N,M)."""
    grid = _as_grid(name, value, shape)
    refused = ~(np.isfinite(grid) & (grid >= 0))
    if refused.any():
        raise ValueError(f"{name}: is {_first(grid, refused)}; {WEIGHTS}")
    return grid


def as_penalty(name: str, value: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Check a penalty, above -inf, and return it as (1,1), (N,1), (1,M) or (N,M)."""
    grid = _as_grid(name, value, shape)
    refused = ~(grid > -np.inf)
    if refused.any():
        raise ValueError(f"{name}: is {_first(grid, refused)}; {PENALTIES}")
    return grid


def check_grid(name: str, sizes: tuple[int, ...], shape: tuple[int, int]) -> None:
    """Check the sizes of a parameter that is no number."""
    if len(sizes) != 2:
        raise ValueError(
            f"{name}: has shape {sizes}; {SHAPES} is accepted (one dimension could mean frames or targets)"
        )
    if any(size not in (1, whole) for size, whole in zip(sizes, shape, strict=True)):
        raise ValueError(f"{name}: has shape {sizes}; {SHAPES} is accepted, here (N,M) = {shape}")


def _as_grid(name: str, value: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    array = as_real_array(name, value)
    if array.ndim == 0:
        array = array.reshape(1, 1)
    check_grid(name, array.shape, shape)
    return np.require(array, np.float64, ["C", "A"])


def _first(grid: NDArray[Any], refused: NDArray[np.bool_]) -> str:
    index = tuple(int(i) for i in np.argwhere(refused)[0])
    return f"{grid[index]} at index {index}" if grid.size > 1 else f"{grid[index]}"
