"""The model of a batch: steps, beginnings, ends, and the minimum over paths, all as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from warplens.torch.inputs.masks import BatchShape

EndKind: TypeAlias = Literal["corner", "row", "column", "border", "cells"]
"""One cell at no cost; cells of the border row, of the border column, of both; or any cell."""


@dataclass(frozen=True)
class Ends:
    """Where paths begin or end, and at which cost: (b,1,M) along a row, (b,N,1) along a column, or of cells.

    The border row is the first or the last of each pair, the column likewise. Where both are given, the row
    holds for the cell in which they cross.
    """

    kind: EndKind
    costs: tuple[Tensor, ...] = ()

    def cells(self, corner: tuple[Tensor, Tensor], rows: int, columns: int) -> Tensor:
        """Return the costs of all cells, (B or 1, N or 1, M or 1), +inf where no path may begin or end.

        Args:
            corner: zero-based row and column (B,) of the corner where the border lies.
            rows: N.
            columns: M.
        """
        row, column = (index.view(-1, 1, 1) for index in corner)
        at_row = torch.arange(rows, device=row.device).view(1, -1, 1) == row
        at_column = torch.arange(columns, device=row.device).view(1, 1, -1) == column
        match self.kind:
            case "corner":
                return torch.where(at_row & at_column, 0.0, torch.inf)
            case "row":
                return torch.where(at_row, self.costs[0], torch.inf)
            case "column":
                return torch.where(at_column, self.costs[0], torch.inf)
            case "border":
                along_row, along_column = self.costs
                return torch.where(at_row, along_row, torch.where(at_column, along_column, torch.inf))
        return self.costs[0]


CORNER = Ends("corner")
"""The first cell, or the last, at no cost."""


@dataclass(frozen=True)
class BatchModel:
    """The settings of the alignments of a batch, all but the costs; `warplens.align_costs` has the formula.

    Each weight, penalty and cost of an end is (b,n,m) float64 with b = 1 or B, n = 1 or N, m = 1 or M.
    """

    gamma: Tensor  # () float64
    is_hard: bool | None
    """True if the minimum is the hard one, whatever gamma is; None where gamma could not be read."""
    sizes: tuple[tuple[int, int], ...]
    """Frames and targets that each step advances."""
    weights: tuple[Tensor, ...]
    penalties: tuple[Tensor, ...]
    entry_weight: Tensor
    exit_weight: Tensor | None
    """None: 0."""
    entry: Ends
    exit: Ends

    @property
    def order(self) -> list[int]:
        """The steps as ties choose: the larger n + m first, then the larger n, then the first listed."""
        return sorted(range(len(self.sizes)), key=lambda s: (-sum(self.sizes[s]), -self.sizes[s][0]))

    def tensors(self) -> list[Tensor]:
        """Return all tensors: gamma, weights, penalties, entry weight, exit weight if any, entry, exit."""
        exit_weight = [] if self.exit_weight is None else [self.exit_weight]
        ends = (*self.entry.costs, *self.exit.costs)
        return [self.gamma, *self.weights, *self.penalties, self.entry_weight, *exit_weight, *ends]

    def with_tensors(self, tensors: Sequence[Tensor]) -> "BatchModel":
        """Return the model with other tensors in the places of `tensors`."""
        steps = len(self.sizes)
        gamma, rest = tensors[0], list(tensors[1:])
        weights, penalties, rest = rest[:steps], rest[steps : 2 * steps], rest[2 * steps :]
        entry_weight, rest = rest[0], rest[1:]
        exit_weight = None
        if self.exit_weight is not None:
            exit_weight, rest = rest[0], rest[1:]
        cut = len(self.entry.costs)
        return replace(
            self,
            gamma=gamma,
            weights=tuple(weights),
            penalties=tuple(penalties),
            entry_weight=entry_weight,
            exit_weight=exit_weight,
            entry=replace(self.entry, costs=tuple(rest[:cut])),
            exit=replace(self.exit, costs=tuple(rest[cut:])),
        )


def corners(shape: BatchShape) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the first and the last cell of each pair: zero-based row and column, (B,) each."""
    last = shape.ends()
    return (torch.zeros_like(last[0]), torch.zeros_like(last[1])), last
