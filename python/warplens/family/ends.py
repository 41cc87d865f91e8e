"""Where paths begin and end: at the corners, along the border, or where costs allow it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens._numbers import is_number
from warplens.family.parameters import as_penalty

Border: TypeAlias = tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]
"""Costs along the first (last) row, (M,), and the first (last) column, (N,); None forbids."""

Ends: TypeAlias = NDArray[np.float64] | Border | None
"""Costs of all cells as a parameter, costs along the border, or None: the corner alone, at no cost."""

SIDES = ("x", "y", "both")
"""The sequences of which frames can be left out."""


def as_ends(name: str, costs: ArrayLike | None, shape: tuple[int, int]) -> Ends:
    """Check costs to begin or to end."""
    return None if costs is None else as_penalty(name, costs, shape)


def open_ends(
    open_begin: str | None,
    open_end: str | None,
    skip_penalty: float | Sequence[float],
    shape: tuple[int, int],
) -> tuple[Ends, Ends]:
    """Return the costs to begin and to end where frames may be left out at a penalty for each."""
    begin, end = check_open_ends(open_begin, open_end, skip_penalty)
    return _border(open_begin, begin, shape, slice(None)), _border(
        open_end, end, shape, slice(None, None, -1)
    )


def check_open_ends(
    open_begin: str | None, open_end: str | None, skip_penalty: float | Sequence[float]
) -> tuple[float, float]:
    """Check the names of sides, and return the penalties of a frame left out at the beginning, at the end."""
    for name, side in (("open_begin", open_begin), ("open_end", open_end)):
        if side is not None and side not in SIDES:
            raise ValueError(f'{name}: is {side!r}; None, "x", "y" and "both" are accepted')
    begin, end = _penalties(skip_penalty)
    if open_begin is None and open_end is None and (begin, end) != (0, 0):
        raise ValueError("skip_penalty: belongs to open_begin and open_end, of which neither is given")
    return begin, end


def _border(side: str | None, penalty: float, shape: tuple[int, int], order: slice) -> Ends:
    if side is None:
        return None
    column, row = (np.ascontiguousarray((np.arange(float(size)) * penalty)[order]) for size in shape)
    return (row if side in ("y", "both") else None, column if side in ("x", "both") else None)


def _penalties(skip_penalty: float | Sequence[float]) -> tuple[float, float]:
    if isinstance(skip_penalty, Sequence | np.ndarray) and not isinstance(skip_penalty, str):
        penalties = list(skip_penalty)
    elif is_number(skip_penalty):
        penalties = [skip_penalty, skip_penalty]
    else:
        raise TypeError(f"skip_penalty: is {skip_penalty!r}; a number or (begin, end) is accepted")
    if len(penalties) != 2 or not all(is_number(penalty) for penalty in penalties):
        raise ValueError(f"skip_penalty: is {skip_penalty!r}; a number or (begin, end) is accepted")
    begin, end = (float(penalty) for penalty in penalties)
    if not (math.isfinite(begin) and math.isfinite(end)):
        raise ValueError(f"skip_penalty: is {skip_penalty!r}; finite numbers are accepted")
    return begin, end
