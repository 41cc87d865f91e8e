"""The source of costs for the Triton sweeps, a segment of lines at a time, and the receiver of alignments.

Lines run along the shorter axis: with N >= M a line is a target frame and its entries are prediction frames,
with N < M they change places.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from warplens._bands import Band
from warplens.torch.inputs.batches import CostMatrices, Pairs, lengths_or_all
from warplens.torch.inputs.masks import within_band


class SegmentedCosts(Protocol):
    """Costs that are never held all at once."""

    def write(self, first: int, C: Tensor) -> None:
        """Write the costs of the lines from `first` on into C (B,K,L) float64."""

    def collect(self, first: int, H: Tensor, E: Tensor | None) -> None:
        """Take the alignment of these lines and, if asked for, their visits, both (B,K,L)."""


@dataclass(frozen=True)
class LineLayout:
    """The axis along which lines run in a batch, and the cells of each pair."""

    long_is_x: bool
    batch: int
    lines: int  # S
    length: int  # L
    N: Tensor  # (B,) int64
    M: Tensor  # (B,) int64
    band: Band | None

    @classmethod
    def of(cls, given: Pairs | CostMatrices, band: Band | None) -> "LineLayout":
        """Return the layout of a batch."""
        x, y = (given.x, given.y) if isinstance(given, Pairs) else (given.C, given.C.mT)
        N, M = lengths_or_all(given.x_lengths, x), lengths_or_all(given.y_lengths, y)
        rows, columns = x.shape[1], y.shape[1]
        return cls(rows >= columns, len(x), min(rows, columns), max(rows, columns), N, M, band)

    def ends(self) -> Tensor:
        """Return the last line and the last entry (2,B); -1 for a pair with a length that does not fit."""
        short, long = (self.M, self.N) if self.long_is_x else (self.N, self.M)
        fits = (short >= 1) & (short <= self.lines) & (long >= 1) & (long <= self.length)
        return torch.stack([short, long]).sub_(1).masked_fill_(~fits, -1)

    def forbid(self, first: int, C: Tensor) -> None:
        """Put +inf into the cells of C (B,K,L) that are outside the band."""
        if self.band is None:
            return
        line = torch.arange(first, first + C.shape[1], device=C.device).view(1, -1, 1)
        entry = torch.arange(self.length, device=C.device).view(1, 1, -1)
        row, column = (entry, line) if self.long_is_x else (line, entry)
        N, M = self.N.view(-1, 1, 1), self.M.view(-1, 1, 1)
        C.masked_fill_(~within_band(row, column, N, M, self.band), torch.inf)


class MatrixCosts:
    """Costs that are given as matrices (B,N,M), and their alignments as matrices."""

    def __init__(self, C: Tensor, layout: LineLayout, *, keeps_H: bool, keeps_E: bool = False) -> None:
        self._layout = layout
        self._C = C
        self.H = torch.empty_like(C, memory_format=torch.contiguous_format) if keeps_H else None
        self.E = torch.empty_like(C, memory_format=torch.contiguous_format) if keeps_E else None

    def write(self, first: int, C: Tensor) -> None:
        """Copy lines of the matrices."""
        C.copy_(self._lines(self._C, first, C))
        self._layout.forbid(first, C)

    def collect(self, first: int, H: Tensor, E: Tensor | None) -> None:
        """Copy lines into the matrices."""
        for kept, lines in ((self.H, H), (self.E, E)):
            if kept is not None and lines is not None:
                self._lines(kept, first, lines).copy_(lines)

    def _lines(self, cells: Tensor, first: int, like: Tensor) -> Tensor:
        lines = cells.mT if self._layout.long_is_x else cells
        return lines[:, first : first + like.shape[1]]
