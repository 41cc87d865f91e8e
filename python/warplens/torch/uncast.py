"""Modules whose numbers keep their dtype."""

from collections.abc import Callable
from typing import Self

from torch import Tensor, nn


class UncastModule(nn.Module):
    """A module that `.half()` and the like leave as it is; moves to a device it follows."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What `.to()`, `.half()`, `.cuda()` and the like go through: moves follow it, casts do not."""

        def move(tensor: Tensor) -> Tensor:
            try:
                moved = fn(tensor)
                return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)
            except TypeError:
                # A device without float64 refuses; there the loss goes through the CPU anyway.
                return tensor

        super()._apply(move, recurse)  # type: ignore[no-untyped-call]
        return self
