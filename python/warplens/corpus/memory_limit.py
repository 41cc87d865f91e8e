"""Check estimated memory against the limit: a small file can ask for a huge alignment.

Counted are the arrays that grow with N x M, and modified targets; what else there is stays far below both.
"""

import numpy as np

from warplens._core import LEAST_ROW_SUM
from warplens.analysis.losses.options import Loss
from warplens.io import AnyItem, Item, ItemError
from warplens.io.size_limit import format_bytes

_FOR_EMPTY_ROWS = 1
"""Where steps are free, rows may be empty: E, which takes their place."""

_FOR_MEASURES = 6
"""H, E, rows that sum to 1, their logarithms and what is weighed by presence, in float64."""

_FOR_FIGURES = 6
"""Costs, accumulated costs and what sorts and colours them, in float64."""


def check_memory(needed: int, item: AnyItem, size_limit: int | None) -> None:
    """Check that the work on an item stays within the limit, before it begins.

    Args:
        needed: bytes, from `bytes_to_analyze`, `bytes_to_sweep` or `bytes_by_loss`.
        item: what is to be worked on.
        size_limit: bytes that the arrays of one item may take, None for any.

    Raises:
        ItemError: it does not.
    """
    if size_limit is not None and needed > size_limit:
        n_frames, n_targets = _sizes(item)
        raise ItemError(
            f"aligning {n_frames} frames with {n_targets} targets takes {format_bytes(needed)} of memory: "
            f"the limit is {format_bytes(size_limit)} an item (--size-limit); raise it, or cut the item in "
            "parts"
        )


def bytes_to_analyze(
    item: Item,
    *,
    n_gammas: int,
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    keep_alignment: bool = False,
    figures: bool = False,
) -> int:
    """Estimate the bytes of the item, of the results of `analyze_item`, and of its figures if wanted.

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
    """Estimate the bytes of the item and of the work of `sweep_item`; arguments as for `bytes_to_analyze`."""
    alignment = (1 + _for_empty_rows(step_weights)) * _cells(item)
    # The modified targets of one gamma are there until those of the next are.
    y_mods = 0 if item.strong is None else 2 * item.predictions.size
    return _bytes_of(item) + (alignment + y_mods) * _bytes_a_cell(item)


def bytes_by_loss(item: AnyItem, loss: Loss, *, n_gammas: int) -> int:
    """Estimate the bytes of the item and of the results of `analyze_by_loss`.

    Args:
        item: what is aligned.
        loss: any but "sdtw".
        n_gammas: how many it is aligned at, G; the alignments of all are there at once.
    """
    n_frames, n_targets = _sizes(item)
    columns = 2 * n_targets + 1 if loss.has_blank or loss.name == "drop" else n_targets
    scores = item.predictions if isinstance(item, Item) else item.log_probs
    arrays = [value for value in vars(item).values() if isinstance(value, np.ndarray)]
    # y_mod and x_grad of one gamma, and what is kept of the others.
    of_scores = (2 + n_gammas) * scores.nbytes
    matrices = (_FOR_MEASURES + 2 * n_gammas) * n_frames * columns * 8
    return sum(array.nbytes for array in arrays) + of_scores + matrices


def _sizes(item: AnyItem) -> tuple[int, int]:
    """Return numbers of frames and targets."""
    if isinstance(item, Item):
        return len(item.predictions), len(item.weak)
    if item.labels is not None:
        return len(item.log_probs), len(item.labels)
    return len(item.log_probs), item.log_probs.shape[1] if item.weak is None else len(item.weak)


def _for_empty_rows(step_weights: tuple[float, float, float]) -> int:
    return _FOR_EMPTY_ROWS if min(step_weights) < LEAST_ROW_SUM else 0


def _cells(item: Item) -> int:
    return len(item.predictions) * len(item.weak)


def _bytes_a_cell(item: Item) -> int:
    return np.result_type(item.predictions, item.weak).itemsize


def _bytes_of(item: Item) -> int:
    return sum(array.nbytes for array in (item.predictions, item.weak, item.strong) if array is not None)
