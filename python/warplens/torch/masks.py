"""Which cells of a padded batch of cost matrices a path may use."""

from dataclasses import dataclass

import torch
from torch import Tensor

from warplens._bands import Band, SakoeChiba
from warplens.torch.batches import CostMatrices, Pairs

_ROUNDING = 1e-12  # of a corner of the parallelogram, in units of a side


@dataclass(frozen=True)
class Sides:
    """The sides of a padded batch of B cost matrices."""

    batch: int
    rows: int  # padded
    columns: int
    x_lengths: Tensor | None  # (B,) int64, rows of each pair; None where nothing is padded
    y_lengths: Tensor | None
    device: torch.device

    @classmethod
    def of(cls, batch: Pairs | CostMatrices) -> "Sides":
        """Of a batch of either kind."""
        x, y = (batch.C, batch.C.mT) if isinstance(batch, CostMatrices) else (batch.x, batch.y)
        return cls(len(x), x.shape[1], y.shape[1], batch.x_lengths, batch.y_lengths, x.device)

    def ends(self) -> tuple[Tensor, Tensor]:
        """Zero-based last row and column (B,) of each pair, kept inside the matrix whatever the lengths."""
        return self._end(self.x_lengths, self.rows), self._end(self.y_lengths, self.columns)

    def _end(self, lengths: Tensor | None, most: int) -> Tensor:
        if lengths is None:
            return torch.full((self.batch,), most - 1, device=self.device)
        return (lengths - 1).clamp(0, most - 1)


def allowed_matrix(sides: Sides, band: Band | None) -> Tensor | None:
    """(B,N,M) or (1,N,M), whether a cell is in its pair and its band; None where all are."""
    row = torch.arange(sides.rows, device=sides.device).view(-1, 1, 1)
    column = torch.arange(sides.columns, device=sides.device)
    allowed = allowed_cells(sides, band, row, column)
    return None if allowed is None else allowed.expand(sides.rows, -1, sides.columns).transpose(0, 1)


def allowed_cells(sides: Sides, band: Band | None, row: Tensor, column: Tensor) -> Tensor | None:
    """Whether cells are in the pair and its band; None where all are. A bad length allows none.

    Args:
        sides: of the batch.
        band: laid into each pair by its lengths.
        row: zero-based rows, (K,1,1) or (L,).
        column: and columns; the two together are (K,1,L), and the result (K,B,L) or what expands to it.
    """
    N, M = torch.full_like(row[:1], sides.rows), torch.full_like(column[:1], sides.columns)  # or (B,1)
    conditions: list[Tensor] = []
    if sides.x_lengths is not None:
        N = sides.x_lengths.view(-1, 1)
        conditions.append((row < N) & (sides.rows >= N))
    if sides.y_lengths is not None:
        M = sides.y_lengths.view(-1, 1)
        conditions.append((column < M) & (sides.columns >= M))
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
