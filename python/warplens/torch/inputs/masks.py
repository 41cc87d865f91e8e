"""Masks of the cells that a path may use in a padded batch of cost matrices."""

from dataclasses import dataclass

import torch
from torch import Tensor

from warplens._bands import Band, SakoeChiba
from warplens.torch.inputs.batches import CostMatrices, Pairs

_ROUNDING = 1e-12  # of a corner of the parallelogram, in units of a side


@dataclass(frozen=True)
class BatchShape:
    """Sizes of a padded batch of B cost matrices, and the lengths of its pairs."""

    batch: int
    rows: int  # padded
    columns: int
    x_lengths: Tensor | None  # (B,) int64, rows of each pair; None where nothing is padded
    y_lengths: Tensor | None
    device: torch.device

    @classmethod
    def of(cls, batch: Pairs | CostMatrices) -> "BatchShape":
        """Return the shape of a batch of either kind."""
        x, y = (batch.C, batch.C.mT) if isinstance(batch, CostMatrices) else (batch.x, batch.y)
        return cls(len(x), x.shape[1], y.shape[1], batch.x_lengths, batch.y_lengths, x.device)

    def ends(self) -> tuple[Tensor, Tensor]:
        """Return the zero-based last row and column (B,) of each pair, inside the matrix for any lengths."""
        return self._end(self.x_lengths, self.rows), self._end(self.y_lengths, self.columns)

    def _end(self, lengths: Tensor | None, most: int) -> Tensor:
        if lengths is None:
            return torch.full((self.batch,), most - 1, device=self.device)
        return (lengths - 1).clamp(0, most - 1)


def allowed_matrix(shape: BatchShape, band: Band | None) -> Tensor | None:
    """Return (B,N,M) or (1,N,M), True for cells in their pair and its band; None where all are."""
    row = torch.arange(shape.rows, device=shape.device).view(-1, 1, 1)
    column = torch.arange(shape.columns, device=shape.device)
    allowed = allowed_cells(shape, band, row, column)
    return None if allowed is None else allowed.expand(shape.rows, -1, shape.columns).transpose(0, 1)


def allowed_cells(shape: BatchShape, band: Band | None, row: Tensor, column: Tensor) -> Tensor | None:
    """Return True for cells in their pair and its band; None where all are. A bad length allows none.

    Args:
        shape: of the batch.
        band: laid into each pair by its lengths.
        row: zero-based rows, (K,1,1) or (L,).
        column: zero-based columns; the two broadcast to (K,1,L), and the result to (K,B,L).
    """
    N, M = torch.full_like(row[:1], shape.rows), torch.full_like(column[:1], shape.columns)  # or (B,1)
    conditions: list[Tensor] = []
    if shape.x_lengths is not None:
        N = shape.x_lengths.view(-1, 1)
        conditions.append((row < N) & (shape.rows >= N))
    if shape.y_lengths is not None:
        M = shape.y_lengths.view(-1, 1)
        conditions.append((column < M) & (shape.columns >= M))
    if band is not None:
        conditions.append(within_band(row, column, N, M, band))
    if not conditions:
        return None
    allowed = conditions[0]
    for condition in conditions[1:]:
        allowed = allowed & condition
    return allowed


def within_band(row: Tensor, column: Tensor, N: Tensor, M: Tensor, band: Band) -> Tensor:
    """Return True for cells in the band of pairs with N rows and M columns; all int64, and they broadcast."""
    if isinstance(band, SakoeChiba):
        return _sakoe_chiba(row, column, N, M, band.radius)
    return _itakura(row, column, N, M, band.max_slope)


def _sakoe_chiba(row: Tensor, column: Tensor, N: Tensor, M: Tensor, radius: float) -> Tensor:
    """Return |row - column (N-1)/(M-1)| <= radius for N >= M, both times M-1 to keep integers exact."""
    rows, columns = N - 1, M - 1
    shorter = torch.minimum(rows, columns)
    distance = (row * columns - column * rows).abs()
    return (distance <= radius * shorter.to(torch.float64)) | (shorter == 0)


def _itakura(row: Tensor, column: Tensor, N: Tensor, M: Tensor, slope: float) -> Tensor:
    """Return True between the lines of slope `slope` and `1/slope` through the corners of the unit square."""
    rows, columns = N - 1, M - 1
    t = row.to(torch.float64) / rows.clamp(min=1)
    q = column.to(torch.float64) / columns.clamp(min=1)
    lower = torch.maximum(t / slope, 1.0 - slope * (1.0 - t))
    upper = torch.minimum(slope * t, 1.0 - (1.0 - t) / slope)
    inside = (q >= lower - _ROUNDING) & (q <= upper + _ROUNDING)
    return inside | (rows == 0) | (columns == 0)
