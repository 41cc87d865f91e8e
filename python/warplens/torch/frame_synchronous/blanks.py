"""Checks of the softness, and of what blanks cost."""

import torch
from torch import Tensor

from warplens.torch.inputs.batches import as_dtype, values_are_readable
from warplens.torch.inputs.settings import as_gamma


def as_softness(gamma: float | Tensor) -> Tensor:
    """Check gamma: a () float64 tensor above 0."""
    checked = as_gamma(gamma)
    if values_are_readable(checked) and not float(checked.detach()) > 0:
        raise ValueError(f"gamma: is {float(checked.detach()):g}; this loss takes a softness above 0")
    return checked


def as_penalty(penalty: float | Tensor) -> Tensor:
    """Check the penalty of blanks: a () float64 tensor above -inf."""
    checked = penalty if isinstance(penalty, Tensor) else torch.tensor(float(penalty), dtype=torch.float64)
    if checked.numel() != 1 or checked.is_complex():
        raise ValueError(f"blank_penalty: has shape {tuple(checked.shape)}; one real number is accepted")
    checked = as_dtype(checked.reshape(()), torch.float64)
    if values_are_readable(checked) and not float(checked.detach()) > float("-inf"):
        raise ValueError(
            f"blank_penalty: is {float(checked.detach())}; a number above -inf is accepted, +inf forbids"
        )
    return checked


def as_blank_weight(weight: float | None) -> float:
    """Check the factor of the cost of blanks; None is 1."""
    number = 1.0 if weight is None else float(weight)
    if not 0 <= number < float("inf"):
        raise ValueError(
            f"blank_weight: is {number:g}; a finite number of at least 0 is accepted (forbid by "
            "blank_penalty=inf)"
        )
    return number
