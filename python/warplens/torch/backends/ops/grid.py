"""Padded cost matrices as the recursion reads them: a few lines of the shorter axis at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import TypeAlias

import torch
from torch import Tensor

from warplens._bands import Band
from warplens.torch.inputs.masks import BatchShape, allowed_cells

DIAGONAL, HORIZONTAL, VERTICAL = range(3)

CostsOfLines: TypeAlias = Callable[[slice], Tensor]
"""Lines of the shorter axis -> their costs (K,B,L) float64, with any numbers in forbidden cells."""

_CELLS_AT_ONCE = 3 * 2**15
_ARRAYS_OF_CELLS = 16  # float64 arrays of the size of a block that are held with it


@dataclass(frozen=True)
class Grid:
    """B padded cost matrices. Letters: S the shorter padded side, whose entries are lines, L the longer.

    Lengths and bands leave an interval of each line. It has gaps where costs forbid cells by themselves.
    """

    batch_shape: BatchShape
    band: Band | None
    costs_of: CostsOfLines
    has_gaps: bool

    @property
    def lines_are_columns(self) -> bool:
        """True where the targets are the shorter side."""
        return self.batch_shape.rows >= self.batch_shape.columns

    @property
    def shape(self) -> tuple[int, int, int]:
        """The sizes S, B, L."""
        rows, columns = self.batch_shape.rows, self.batch_shape.columns
        return min(rows, columns), self.batch_shape.batch, max(rows, columns)

    @property
    def along(self) -> int:
        """The step that stays in its line."""
        return HORIZONTAL if self.lines_are_columns else VERTICAL

    @property
    def across(self) -> int:
        """The step from line to line."""
        return VERTICAL if self.lines_are_columns else HORIZONTAL

    @cached_property
    def ends(self) -> tuple[Tensor, Tensor]:
        """The last line (B,) of each pair, and its last entry (B,)."""
        row, column = self.batch_shape.ends()
        return (column, row) if self.lines_are_columns else (row, column)

    def costs(self, lines: slice) -> Tensor:
        """Return costs (K,B,L) float64, +inf where no path may go, without gradient to what stood there."""
        return self.forbid(lines, self.costs_of(lines))

    def forbid(self, lines: slice, C: Tensor) -> Tensor:
        """Put +inf into costs C (K,B,L) of these lines where no path may go."""
        device = self.batch_shape.device
        line = torch.arange(lines.start, lines.stop, device=device).view(-1, 1, 1)
        entry = torch.arange(self.shape[2], device=device)
        row, column = (entry, line) if self.lines_are_columns else (line, entry)
        allowed = allowed_cells(self.batch_shape, self.band, row, column)
        return C if allowed is None else torch.where(allowed, C, torch.inf)

    def blocks(self) -> list[slice]:
        """Return the lines in blocks, roughly sqrt(S) of them.

        With K lines a block and the line before each block kept, about 16 K + S / K lines are in memory.
        """
        shorter, batch, length = self.shape
        balanced = isqrt(shorter // _ARRAYS_OF_CELLS)
        size = max(1, balanced, _CELLS_AT_ONCE // (batch * length))
        return [slice(start, min(start + size, shorter)) for start in range(0, shorter, size)]


def as_lines(C: Tensor, lines_are_columns: bool) -> Tensor:
    """Return a view of matrices (B,N,M) as lines (S,B,L)."""
    return C.permute(2, 0, 1) if lines_are_columns else C.permute(1, 0, 2)


def grid_of(C: Tensor, shape: BatchShape, band: Band | None) -> Grid:
    """Return a grid over given cost matrices, (B,N,M) of any floating dtype."""
    lines = as_lines(C, shape.rows >= shape.columns)
    return Grid(shape, band, lambda part: lines[part].to(torch.float64), has_gaps=True)
