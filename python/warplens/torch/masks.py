"""Which cells of a padded batch of cost matrices a path may use."""

import torch
from torch import Tensor

from warplens._settings import Band, SakoeChiba
from warplens.torch.batches import CostMatrices

_ROUNDING = 1e-12  # of a corner of the parallelogram, in units of a side


def ends(matrices: CostMatrices) -> tuple[Tensor, Tensor]:
    """Zero-based last row and column (B,) of each pair, kept inside the matrix whatever the lengths are."""
    batch, rows, columns = matrices.C.shape
    return (
        _end(matrices.x_lengths, batch, rows, matrices.C.device),
        _end(matrices.y_lengths, batch, columns, matrices.C.device),
    )


def allowed_cells(matrices: CostMatrices, band: Band | None) -> Tensor | None:
    """(B,N,M) or (1,N,M): in the pair and its band; None where all cells are. A bad length allows none."""
    _, rows, columns = matrices.C.shape
    row = torch.arange(rows, device=matrices.C.device).view(1, -1, 1)
    column = torch.arange(columns, device=matrices.C.device).view(1, 1, -1)
    N, M = torch.full_like(row[:, :1], rows), torch.full_like(row[:, :1], columns)  # (1 or B,1,1)
    conditions: list[Tensor] = []
    if matrices.x_lengths is not None:
        N = matrices.x_lengths.view(-1, 1, 1)
        conditions.append((row < N) & (rows >= N))
    if matrices.y_lengths is not None:
        M = matrices.y_lengths.view(-1, 1, 1)
        conditions.append((column < M) & (columns >= M))
    if band is not None:
        conditions.append(within_band(row, column, N, M, band))
    if not conditions:
        return None
    allowed = conditions[0]
    for condition in conditions[1:]:
        allowed = allowed & condition
    return allowed


def within_band(row: Tensor, column: Tensor, N: Tensor, M: Tensor, band: Band) -> Tensor:
    """Whether cells are in the band of pairs with N rows and M columns; all int64, and they broadcast."""
    if isinstance(band, SakoeChiba):
        return _sakoe_chiba(row, column, N, M, band.radius)
    return _itakura(row, column, N, M, band.max_slope)


def _end(lengths: Tensor | None, batch: int, most: int, device: torch.device) -> Tensor:
    if lengths is None:
        return torch.full((batch,), most - 1, device=device)
    return (lengths - 1).clamp(0, most - 1)


def _sakoe_chiba(row: Tensor, column: Tensor, N: Tensor, M: Tensor, radius: float) -> Tensor:
    """|row - column (N-1)/(M-1)| <= radius for N >= M, times M-1, so that products of integers stay exact."""
    rows, columns = N - 1, M - 1
    shorter = torch.minimum(rows, columns)
    distance = (row * columns - column * rows).abs()
    return (distance <= radius * shorter.to(torch.float64)) | (shorter == 0)


def _itakura(row: Tensor, column: Tensor, N: Tensor, M: Tensor, slope: float) -> Tensor:
    """Between the lines of slope `slope` and `1/slope` through both corners of the unit square."""
    rows, columns = N - 1, M - 1
    t = row.to(torch.float64) / rows.clamp(min=1)
    q = column.to(torch.float64) / columns.clamp(min=1)
    lower = torch.maximum(t / slope, 1.0 - slope * (1.0 - t))
    upper = torch.minimum(slope * t, 1.0 - (1.0 - t) / slope)
    inside = (q >= lower - _ROUNDING) & (q <= upper + _ROUNDING)
    return inside | (rows == 0) | (columns == 0)
