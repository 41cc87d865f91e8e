"""Soft alignments relative to their rows, of which modified targets are made."""

import torch
from torch import Tensor

from warplens._core import LEAST_ROW_SUM


def relative_alignment(H: Tensor, E: Tensor) -> Tensor:
    """Return H~ = H / h(n); a row with h(n) < 1e-20 takes E(n,.) / sum E(n,.), so rows on a path sum to 1."""
    return relative_rows(H, H.sum(dim=-1, keepdim=True), E, E.sum(dim=-1, keepdim=True))


def relative_rows(of_H: Tensor, h: Tensor, of_E: Tensor, visits: Tensor) -> Tensor:
    """Return the same of sums (B,N,...) over rows of H and of E, given the sums of these rows."""
    by_visits = of_E / visits.masked_fill(visits == 0.0, 1.0)
    return torch.where(h < LEAST_ROW_SUM, by_visits, of_H / h)


def rows_of_one(H: Tensor) -> Tensor:
    """Divide each row of H by its sum; rows whose sum is below 1e-20, which paths leave out, become 0."""
    h = H.sum(dim=-1, keepdim=True)
    return torch.where(h < LEAST_ROW_SUM, 0.0, H / h.masked_fill(h < LEAST_ROW_SUM, 1.0))
