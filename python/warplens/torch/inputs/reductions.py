"""From the values of pairs to the loss: by which length each is divided, and how they are summed."""

import torch
from torch import Tensor

from warplens.torch.inputs.settings import Normalize, Reduction


def pair_scale(
    x_lengths: Tensor, y_lengths: Tensor, reduction: Reduction, normalize: Normalize, *, unbatched: bool
) -> Tensor | None:
    """Return the factor (B,) float64 of each pair before the pairs are summed; None: all 1."""
    divisor: Tensor | None = None
    # Lengths below 1 are refused where they can be read; elsewhere the pair has no path and stays +inf.
    if normalize in ("x_length", "both"):
        divisor = x_lengths.clamp(min=1)
    if normalize in ("y_length", "both"):
        targets = y_lengths.clamp(min=1)
        divisor = targets if divisor is None else divisor + targets
    pairs = len(x_lengths) if reduction == "mean" and not unbatched else 1
    if divisor is None:
        return x_lengths.new_full((pairs,), 1 / pairs, dtype=torch.float64) if pairs > 1 else None
    return 1 / (divisor * pairs).to(torch.float64)


def reduced_values(values: Tensor, reduction: Reduction, *, unbatched: bool, zero_infinity: bool) -> Tensor:
    """Reduce scaled values (B,) to the loss."""
    if zero_infinity:
        values = torch.where(values == torch.inf, 0.0, values)
    if unbatched:
        return values[0]
    return values if reduction == "none" else values.sum()
