"""The yardstick: the least work of an implementation that holds its cells in memory.

One `torch.exp` over the (B,N,M) cells into a ready output, and the batched products X Y^T, which costs in
inner-product form need, and H Y, which the gradient needs. A fused kernel can go under it.
"""

import torch

from ..workloads import Workload


class Yardstick:
    """The work of one workload; `call` does it once."""

    def __init__(self, workload: Workload) -> None:
        pairs = len(workload.sizes)
        random = torch.Generator().manual_seed(0)
        shapes = (
            [(1, size) for size in workload.sizes] if workload.is_ragged else [(pairs, workload.sizes[0])]
        )
        self._batches = []
        for b, (n, m) in shapes:
            x = torch.randn(b, n, workload.features, generator=random)
            y = torch.randn(b, m, workload.features, generator=random)
            cells = torch.randn(b, n, m, generator=random)
            self._batches.append(
                (x, y, cells, torch.empty_like(cells), torch.empty_like(cells), torch.empty_like(x))
            )

    def call(self) -> None:
        """Compute one exp a cell and two products."""
        for x, y, cells, factors, costs, gradient in self._batches:
            torch.exp(cells, out=factors)
            torch.bmm(x, y.mT, out=costs)
            torch.bmm(cells, y, out=gradient)
