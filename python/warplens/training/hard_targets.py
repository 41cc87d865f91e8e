"""Strong targets by hard alignment, the baseline of soft DTW."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import warplens as wl
from warplens._bands import Band
from warplens.torch import DiagonalPrior
from warplens.torch.inputs.batches import Lengths


@torch.no_grad()
def hard_targets(
    x: Tensor,
    y: Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    cost: str = "mse",
    step_weights: Sequence[float] = (1.0, 1.0, 1.0),
    band: Band | None = None,
    feature_weights: Sequence[float] | None = None,
    pos_weight: Sequence[float] | None = None,
) -> Tensor:
    """Return strong targets of a batch, by the hard-DTW path of what the network predicts now.

    The E step of training in the manner of expectation maximisation: label each frame by the best path, take
    an element-wise loss against the labels for some steps (the M step), label again. Where the path repeats
    and advances targets only from frame to frame this is `warplens.expand(y, durations)`; a frame in which it
    passes several targets takes the maximum of each feature, so no event is without a frame.

    Args:
        x: predictions (B,N,D), or (N,D).
        y: weak targets (B,M,D), or (M,D).
        x_lengths: (B,) ints, the prediction frames of each pair; None: all N.
        y_lengths: (B,) ints, the target frames; None: all M.
        cost: name of a cost; this and the following as in `warplens.hard_dtw`.
        step_weights: (w_h, w_v, w_d).
        band: `warplens.SakoeChiba(radius)` or `warplens.Itakura(max_slope)`.
        feature_weights: (D,).
        pos_weight: (D,).

    Returns:
        (B,N,D) or (N,D), dtype and device of x, 0 behind the lengths.

    Raises:
        TypeError: the cost is a `DiagonalPrior`.
        ValueError: as `warplens.hard_dtw`, with the index of the pair.
    """
    if isinstance(cost, DiagonalPrior):
        raise TypeError(
            "cost: is a DiagonalPrior, unknown to hard_dtw; give the name of its cost, and a band to "
            "keep paths near the diagonal"
        )
    if x.ndim == 2:
        lengths = [
            None if given is None else [int(torch.as_tensor(given))] for given in (x_lengths, y_lengths)
        ]
        options: dict[str, Any] = {"cost": cost, "step_weights": step_weights, "band": band}
        options |= {"feature_weights": feature_weights, "pos_weight": pos_weight}
        return hard_targets(x[None], y[None], *lengths, **options)[0]
    if x.ndim != 3 or y.ndim != 3 or len(x) != len(y):
        raise ValueError(
            f"x, y: shapes {tuple(x.shape)} and {tuple(y.shape)}, they must be (B, N, D) and (B, M, D), or "
            "(N, D) and (M, D)"
        )
    strong = torch.zeros_like(x)
    rows, columns = _lengths("x_lengths", x_lengths, x), _lengths("y_lengths", y_lengths, y)
    for b, (n, m) in enumerate(zip(rows, columns, strict=True)):
        weak = _array(y[b, :m])
        try:
            path = wl.hard_dtw(
                _array(x[b, :n]),
                weak,
                cost=cost,
                step_weights=step_weights,
                band=band,
                feature_weights=feature_weights,
                pos_weight=pos_weight,
            ).indices
        except ValueError as error:
            raise ValueError(f"pair {b}: {error}") from error
        first_cell_of_row = np.searchsorted(path[:, 0], np.arange(n))
        labels = np.maximum.reduceat(weak[path[:, 1]], first_cell_of_row, axis=0)
        strong[b, :n] = torch.from_numpy(labels).to(strong)
    return strong


def _lengths(name: str, given: Lengths | None, frames: Tensor) -> list[int]:
    if given is None:
        return [frames.shape[1]] * len(frames)
    lengths = [int(length) for length in torch.as_tensor(given)]
    if len(lengths) != len(frames) or not all(1 <= length <= frames.shape[1] for length in lengths):
        raise ValueError(
            f"{name}: is {lengths}; one length for each of {len(frames)} pairs is accepted, from 1 to "
            f"{frames.shape[1]}"
        )
    return lengths


def _array(tensor: Tensor) -> NDArray[Any]:
    return np.asarray((tensor if tensor.dtype == torch.float64 else tensor.float()).cpu().numpy())
