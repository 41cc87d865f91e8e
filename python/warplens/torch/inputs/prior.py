"""A cost and the penalty that a prior adds to it."""

from typing import NamedTuple

import torch
from torch import Tensor

from warplens._costs import CostFunction
from warplens.torch.inputs.torch_private import UncastModule


class PriorTerm(NamedTuple):
    """The term weight * P that a diagonal prior adds to the costs."""

    weight: Tensor  # () float64
    nu: float


class CostWithPrior(UncastModule):
    """A cost, and a term that is added to its matrix."""

    cost: str | CostFunction

    @property
    def term(self) -> PriorTerm:
        """The term that is added, with the weight itself, not a copy."""
        raise NotImplementedError


def diagonal_penalties(N: Tensor, M: Tensor, rows: int, columns: int, nu: float) -> Tensor:
    """Return P (B,rows,columns) float64 of pairs with lengths N and M, (B,1,1) or (1,1,1) int64.

    `warplens.torch.DiagonalPrior` has the formula.
    """
    n = torch.arange(rows, device=N.device).view(1, -1, 1)
    m = torch.arange(columns, device=N.device).view(1, 1, -1)
    M = M.clamp(min=1)
    start, stop = (m * N + M - 1) // M, ((m + 1) * N + M - 1) // M
    distance = torch.maximum(start - n, n - stop).clamp(min=0).to(torch.float64)
    return -torch.expm1(-(distance * distance) / (2.0 * nu))
