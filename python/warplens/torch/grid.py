"""Padded cost matrices as the recursion reads them: turned, and a few lines at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import TypeAlias

import torch
from torch import Tensor

from warplens._bands import Band
from warplens.torch.masks import Sides, allowed_cells

DIAGONAL, HORIZONTAL, VERTICAL = range(3)

CostsOfLines: TypeAlias = Callable[[slice], Tensor]
"""Lines of the shorter axis -> their costs (K,B,L) float64, whatever stands in forbidden cells."""

_CELLS_AT_ONCE = 3 * 2**15
_ARRAYS_OF_CELLS = 16  # that live with a block, counted in float64 arrays of its size


@dataclass(frozen=True)
class Grid:
    """B padded cost matrices. Letters: S the shorter padded side, whose entries are lines, L the longer.

    Lengths and bands leave an interval of each line. It has gaps where costs forbid cells by themselves.
    """

    sides: Sides
    band: Band | None
    costs_of: CostsOfLines
    has_gaps: bool

    @property
    def lines_are_columns(self) -> bool:
        """Whether the targets are the shorter side."""
        return self.sides.rows >= self.sides.columns

    @property
    def shape(self) -> tuple[int, int, int]:
        """S, B, L."""
        rows, columns = self.sides.rows, self.sides.columns
        return min(rows, columns), self.sides.batch, max(rows, columns)

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
        """(B,) last line of each pair, and (B,) its last entry."""
        row, column = self.sides.ends()
        return (column, row) if self.lines_are_columns else (row, column)

    def costs(self, lines: slice) -> Tensor:
        """(K,B,L) float64, +inf where no path may go, cut off from what stood there."""
        return self.cut(lines, self.costs_of(lines))

    def cut(self, lines: slice, C: Tensor) -> Tensor:
        """The same of the costs of these lines."""
        device = self.sides.device
        line = torch.arange(lines.start, lines.stop, device=device).view(-1, 1, 1)
        entry = torch.arange(self.shape[2], device=device)
        row, column = (entry, line) if self.lines_are_columns else (line, entry)
        allowed = allowed_cells(self.sides, self.band, row, column)
        return C if allowed is None else torch.where(allowed, C, torch.inf)

    def blocks(self) -> list[slice]:
        """The lines in blocks that are small beside what is kept of each: sqrt(S) of them, roughly.

        With K lines a block and the line before each block kept, about 16 K + S / K lines are in memory.
        """
        shorter, batch, length = self.shape
        balanced = isqrt(shorter // _ARRAYS_OF_CELLS)
        size = max(1, balanced, _CELLS_AT_ONCE // (batch * length))
        return [slice(start, min(start + size, shorter)) for start in range(0, shorter, size)]


def as_lines(C: Tensor, lines_are_columns: bool) -> Tensor:
    """A view of matrices (B,N,M) as lines (S,B,L)."""
    return C.permute(2, 0, 1) if lines_are_columns else C.permute(1, 0, 2)


def grid_of(C: Tensor, sides: Sides, band: Band | None) -> Grid:
    """Of cost matrices that there are, (B,N,M) of any floating dtype."""
    lines = as_lines(C, sides.rows >= sides.columns)
    return Grid(sides, band, lambda part: lines[part].to(torch.float64), has_gaps=True)
