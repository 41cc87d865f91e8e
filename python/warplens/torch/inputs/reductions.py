"""From the values of pairs to the loss: by which length each is divided, and how they are summed."""

import torch
from torch import Tensor

from warplens.torch.inputs.batches import lengths_or_all
from warplens.torch.inputs.settings import Normalize, Reduction


def pair_scale(
    x: Tensor,
    y: Tensor,
    x_lengths: Tensor | None,
    y_lengths: Tensor | None,
    reduction: Reduction,
    normalize: Normalize,
    *,
    unbatched: bool,
) -> Tensor | None:
    """Return the factor (B,) float64 of each pair before the pairs are summed; None: all 1.

    x (B,N,...) and y (B,M,...) tell the sizes.
    """
    divisor: Tensor | None = None
    # Lengths below 1 are refused where they can be read; elsewhere the pair has no path and stays +inf.
    if normalize in ("x_length", "both"):
        divisor = lengths_or_all(x_lengths, x).clamp(min=1)
    if normalize in ("y_length", "both"):
        targets = lengths_or_all(y_lengths, y).clamp(min=1)
        divisor = targets if divisor is None else divisor + targets
    pairs = len(x) if reduction == "mean" and not unbatched else 1
    if divisor is None:
        return x.new_full((len(x),), 1 / pairs, dtype=torch.float64) if pairs > 1 else None
    return 1 / (divisor * pairs).to(torch.float64)


def reduced_values(values: Tensor, reduction: Reduction, *, unbatched: bool, zero_infinity: bool) -> Tensor:
    """Reduce scaled values (B,) to the loss."""
    if zero_infinity:
        values = torch.where(values == torch.inf, 0.0, values)
    if unbatched:
        return values[0]
    return values if reduction == "none" else values.sum()
