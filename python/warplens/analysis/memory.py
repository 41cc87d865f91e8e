"""How much memory the analyses of an item hold at most, told before they begin.

Counted are the arrays that grow with N x M, and modified targets; what else there is stays far below both.
"""

import numpy as np

from warplens._core import LEAST_ROW_SUM
from warplens.io import Item

_FOR_EMPTY_ROWS = 1
"""Where steps are free, rows may be empty: E, which takes their place."""

_FOR_FIGURES = 6
"""Costs, accumulated costs and what sorts and colours them, in float64."""


def bytes_to_analyze(
    item: Item,
    *,
    n_gammas: int,
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    keep_alignment: bool = False,
    figures: bool = False,
) -> int:
    """Bytes of the item, of what `analyze_item` makes of it, and of its figures if there are to be any.

    Args:
        item: predictions (N, D) and weak target (M, D).
        n_gammas: how many it is aligned at, G.
        step_weights: (horizontal, vertical, diagonal).
        keep_alignment: whether H (G, N, M) is kept; else that of one gamma is there at a time.
        figures: whether the item is drawn afterwards.
    """
    kept = n_gammas if keep_alignment else 0
    alignments = (max(1, kept) + _for_empty_rows(step_weights)) * _bytes_a_cell(item)
    drawn = kept * _bytes_a_cell(item) + _FOR_FIGURES * 8 if figures else 0
    y_mods = n_gammas * item.predictions.size * _bytes_a_cell(item)
    return _bytes_of(item) + y_mods + max(alignments, drawn) * _cells(item)


def bytes_to_sweep(item: Item, *, step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> int:
    """Bytes of the item and of what `sweep_item` makes of it; arguments as for `bytes_to_analyze`."""
    alignment = (1 + _for_empty_rows(step_weights)) * _cells(item)
    # The modified targets of one gamma are there until those of the next are.
    y_mods = 0 if item.strong is None else 2 * item.predictions.size
    return _bytes_of(item) + (alignment + y_mods) * _bytes_a_cell(item)


def _for_empty_rows(step_weights: tuple[float, float, float]) -> int:
    return _FOR_EMPTY_ROWS if min(step_weights) < LEAST_ROW_SUM else 0


def _cells(item: Item) -> int:
    return len(item.predictions) * len(item.weak)


def _bytes_a_cell(item: Item) -> int:
    return np.result_type(item.predictions, item.weak).itemsize


def _bytes_of(item: Item) -> int:
    return sum(array.nbytes for array in (item.predictions, item.weak, item.strong) if array is not None)
