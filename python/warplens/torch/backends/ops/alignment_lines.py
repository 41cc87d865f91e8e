"""Results of a soft alignment, gathered from its lines as the recursion gives them."""

from collections.abc import Collection

import torch
from torch import Tensor

from warplens.torch.backends.ops.grid import Grid, as_lines
from warplens.torch.backends.relative_alignment import relative_alignment, relative_rows


class AlignmentLines:
    """H and E (B,N,M) of a dtype, h (B,N) and y_mod (B,N,D) in float64; only the named ones are made.

    Args:
        grid: over the costs.
        names: among H, E, h and y_mod; others are ignored.
        dtype: of H and E.
        targets: (B,M,D) float64, the mapped targets of which y_mod is a mean; needed for y_mod alone.
    """

    def __init__(
        self, grid: Grid, names: Collection[str], dtype: torch.dtype, targets: Tensor | None = None
    ) -> None:
        shape = grid.batch_shape
        self._by_columns = grid.lines_are_columns
        size = (shape.batch, shape.rows, shape.columns)
        cells = [name for name in ("H", "E") if name in names]
        self._cells = {name: torch.empty(size, dtype=dtype, device=shape.device) for name in cells}
        self._lines = {name: as_lines(cell, self._by_columns) for name, cell in self._cells.items()}
        self._h: Tensor | None = None
        if "h" in names:
            self._h = torch.zeros(size[:2], dtype=torch.float64, device=shape.device)
        self._y_mod: _ModifiedTargets | None = None
        if "y_mod" in names:
            assert targets is not None
            self._y_mod = _ModifiedTargets(grid, targets)
        self.is_needed = bool({"H", "E", "h", "y_mod"} & set(names))

    def receive(self, lines: slice, H: Tensor, E: Tensor) -> None:
        """Take H and E (K,B,L) of some lines."""
        for name, of_lines in (("H", H), ("E", E)):
            if name in self._lines:
                self._lines[name][lines] = of_lines.to(self._lines[name].dtype)
        if self._h is not None:
            if self._by_columns:
                self._h.add_(H.sum(0))
            else:
                self._h[:, lines] = H.sum(2).mT
        if self._y_mod is not None:
            self._y_mod.receive(lines, H, E)

    def results(self) -> dict[str, Tensor]:
        """Return the named ones; to be called once, after all lines were received."""
        results = dict(self._cells)
        if self._h is not None:
            results["h"] = self._h
        if self._y_mod is not None:
            results["y_mod"] = self._y_mod.result()
        return results


class _ModifiedTargets:
    """Y_mod = H~ W of mapped targets W (B,M,D); a row's weight is known only once all its cells came."""

    def __init__(self, grid: Grid, targets: Tensor) -> None:
        self._targets = targets
        self._by_columns = grid.lines_are_columns
        rows = targets.new_zeros((grid.batch_shape.batch, grid.batch_shape.rows, 1))
        self._of_H = targets.new_zeros((*rows.shape[:2], targets.shape[2]))
        if self._by_columns:
            self._of_E = torch.zeros_like(self._of_H)
            self._h, self._visits = rows, torch.zeros_like(rows)

    def receive(self, lines: slice, H: Tensor, E: Tensor) -> None:
        if not self._by_columns:
            self._of_H[:, lines] = torch.bmm(relative_alignment(H, E).transpose(0, 1), self._targets)
            return
        targets = self._targets[:, lines]  # (B,K,D)
        for cells, total, mean in ((H, self._h, self._of_H), (E, self._visits, self._of_E)):
            total.add_(cells.sum(0).unsqueeze(2))
            mean.baddbmm_(cells.permute(1, 2, 0), targets)

    def result(self) -> Tensor:
        """Return Y_mod (B,N,D)."""
        if not self._by_columns:
            return self._of_H
        return relative_rows(self._of_H, self._h, self._of_E, self._visits)
