"""`torch.nn.CTCLoss` at the same lengths: another loss, for those who choose between the two.

Its classes are the D features (at least three) and the blank; targets never repeat a class, so that M = N is
possible. Log-probabilities are its input, as predictions are that of soft DTW.
"""

import numpy as np
import torch

from ..workloads import Workload
from .contender import Contender, Result, Task


class CtcTask:
    """`CTCLoss` at the lengths of a workload."""

    def __init__(self, workload: Workload, device: torch.device | str = "cpu") -> None:
        random = np.random.default_rng(workload.seed)
        heights, widths = (torch.tensor(sizes) for sizes in zip(*workload.sizes, strict=True))
        classes = max(workload.features, 3)
        steps = random.integers(1, classes, (len(widths), int(widths.max())))
        self._targets = torch.from_numpy(steps.cumsum(axis=1) % classes + 1).to(device)
        logits = torch.randn(
            int(heights.max()), len(heights), classes + 1, generator=torch.Generator().manual_seed(0)
        )
        self._log_probabilities = logits.to(device).log_softmax(-1).requires_grad_(workload.wants_gradient)
        self._lengths = heights, widths
        self._loss = torch.nn.CTCLoss(reduction="none")
        self._wants_gradient = workload.wants_gradient
        self._values = torch.empty(0)

    def call(self) -> None:
        """Compute values and, where wanted, gradients."""
        self._log_probabilities.grad = None
        with torch.set_grad_enabled(self._wants_gradient):
            values = self._loss(self._log_probabilities, self._targets, *self._lengths)
            if self._wants_gradient:
                values.sum().backward()
        self._values = values.detach()

    def result(self) -> Result:
        """Return the result of the last call."""
        gradient = self._log_probabilities.grad
        return Result(
            self._values.double().cpu().numpy(), None if gradient is None else [gradient.cpu().numpy()]
        )


def _prepare(workload: Workload) -> Task:
    return CtcTask(workload)


CTC = Contender("torch CTCLoss", "torch", _prepare, is_soft_dtw=False)
