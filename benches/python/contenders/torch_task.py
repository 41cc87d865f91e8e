"""Tasks that call a loss for PyTorch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..workloads import Workload
from .contender import Result

Loss = Callable[[Tensor, Tensor], Tensor]
"""(B,N,D), (B,M,D) -> (B,)"""


class TorchTask:
    """Forward and backward of a loss: in one batch, or pair by pair where sizes differ."""

    def __init__(self, workload: Workload, loss: Loss, device: torch.device | str = "cpu") -> None:
        xs, ys = workload.data
        if workload.is_ragged:
            batches = [(x[None], y[None]) for x, y in zip(xs, ys, strict=True)]
        else:
            batches = [(np.stack(xs), np.stack(ys))]
        self._batches = [tuple(torch.from_numpy(side).to(device) for side in batch) for batch in batches]
        for x, _ in self._batches:
            x.requires_grad_(workload.wants_gradient)
        self._loss = loss
        self._wants_gradient = workload.wants_gradient
        self._values: list[Tensor] = []

    def call(self) -> None:
        """Compute values and, where wanted, gradients."""
        self._values = []
        with torch.set_grad_enabled(self._wants_gradient):
            for x, y in self._batches:
                x.grad = None
                values = self._loss(x, y)
                if self._wants_gradient:
                    values.sum().backward()
                self._values.append(values.detach())

    def result(self) -> Result:
        """Return the result of the last call."""
        values = torch.cat(self._values).double().cpu().numpy()
        if not self._wants_gradient:
            return Result(values, None)
        gradients = [x.grad.cpu().numpy() for x, _ in self._batches if x.grad is not None]
        return Result(values, [gradient for batch in gradients for gradient in batch])
