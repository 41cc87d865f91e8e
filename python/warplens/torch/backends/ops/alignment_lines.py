"""What is asked of a soft alignment, gathered from its lines as the recursion gives them."""

from collections.abc import Collection

import torch
from torch import Tensor

from warplens.torch.alignment import relative_alignment, relative_rows
from warplens.torch.backends.ops.grid import Grid, as_lines


class AlignmentLines:
    """H and E (B,N,M) of a dtype, h (B,N) and y_mod (B,N,D) in float64; only what is named is made.

    Args:
        grid: whose lines come.
        names: among H, E, h and y_mod; others are ignored.
        dtype: of H and E.
        images: (B,M,D) float64, what y_mod is a mean of; needed for y_mod alone.
    """

    def __init__(
        self, grid: Grid, names: Collection[str], dtype: torch.dtype, images: Tensor | None = None
    ) -> None:
        sides = grid.sides
        self._by_columns = grid.lines_are_columns
        size = (sides.batch, sides.rows, sides.columns)
        cells = [name for name in ("H", "E") if name in names]
        self._found = {name: torch.empty(size, dtype=dtype, device=sides.device) for name in cells}
        self._lines = {name: as_lines(cell, self._by_columns) for name, cell in self._found.items()}
        self._h: Tensor | None = None
        if "h" in names:
            self._h = torch.zeros(size[:2], dtype=torch.float64, device=sides.device)
        self._targets: _Targets | None = None
        if "y_mod" in names:
            assert images is not None
            self._targets = _Targets(grid, images)
        self.is_needed = bool({"H", "E", "h", "y_mod"} & set(names))

    def receive(self, lines: slice, H: Tensor, E: Tensor) -> None:
        """Takes H and E (K,B,L) of some lines."""
        for name, of_lines in (("H", H), ("E", E)):
            if name in self._lines:
                self._lines[name][lines] = of_lines.to(self._lines[name].dtype)
        if self._h is not None:
            if self._by_columns:
                self._h.add_(H.sum(0))
            else:
                self._h[:, lines] = H.sum(2).mT
        if self._targets is not None:
            self._targets.receive(lines, H, E)

    def found(self) -> dict[str, Tensor]:
        """What is named; once, after all lines were received."""
        found = dict(self._found)
        if self._h is not None:
            found["h"] = self._h
        if self._targets is not None:
            found["y_mod"] = self._targets.found()
        return found


class _Targets:
    """Y_mod = H~ W of images W (B,M,D); whether a row has weight is known once all its cells were there."""

    def __init__(self, grid: Grid, images: Tensor) -> None:
        self._images = images
        self._by_columns = grid.lines_are_columns
        rows = images.new_zeros((grid.sides.batch, grid.sides.rows, 1))
        self._of_H = images.new_zeros((*rows.shape[:2], images.shape[2]))
        if self._by_columns:
            self._of_E = torch.zeros_like(self._of_H)
            self._h, self._visits = rows, torch.zeros_like(rows)

    def receive(self, lines: slice, H: Tensor, E: Tensor) -> None:
        if not self._by_columns:
            self._of_H[:, lines] = torch.bmm(relative_alignment(H, E).transpose(0, 1), self._images)
            return
        images = self._images[:, lines]  # (B,K,D)
        for cells, total, mean in ((H, self._h, self._of_H), (E, self._visits, self._of_E)):
            total.add_(cells.sum(0).unsqueeze(2))
            mean.baddbmm_(cells.permute(1, 2, 0), images)

    def found(self) -> Tensor:
        if not self._by_columns:
            return self._of_H
        return relative_rows(self._of_H, self._h, self._of_E, self._visits)
