"""`CTCLoss` beside `torch.nn.CTCLoss`: steps from logits to their gradient, and errors against float64.

The plain step is torch's: `log_softmax`, `ctc_loss`, and backward to the logits. The drop-in takes the place
of `ctc_loss` alone; "from logits" is the loss that has the softmax in it. Errors are those of the gradient,
of the first items, in units of its largest entry or of 1; torch's own has a row of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

import warplens.torch as wlt

from .comparison import Comparison, ComparisonRow, TimedCall, compare, error_of

MOST_ERROR = 1e-5
"""Greatest error of our gradients."""
CHECKED = 2
"""Items that are checked."""

GOALS = {
    ("B=16 T=1000 K=80 L=100", "drop-in"): 1 / 15,
    ("B=16 T=1000 K=80 L=100", "from logits"): 1 / 30,
    ("B=32 T=500 K=5000 L=60", "drop-in"): 1 / 2.5,
    ("B=32 T=500 K=5000 L=60", "from logits"): 1 / 15,
}
"""Greatest ratio of each step to torch's, by sizes of the whole batch."""

AGAINST = "log_softmax and torch's ctc_loss"


@dataclass(frozen=True)
class Sizes:
    """Sizes of a batch."""

    items: int
    frames: int
    classes: int
    labels: int

    @property
    def title(self) -> str:
        """The sizes in words."""
        return f"B={self.items} T={self.frames} K={self.classes} L={self.labels}"

    def shrunk(self, shrink: int) -> "Sizes":
        """Return the sizes divided, with room for a path."""
        labels = max(2, self.labels // shrink)
        frames, classes = max(2 * labels, self.frames // shrink), max(4, self.classes // shrink)
        return Sizes(max(CHECKED, self.items // shrink), frames, classes, labels)


SIZES = (Sizes(16, 1000, 80, 100), Sizes(32, 500, 5000, 60))


def run(shrink: int, rounds: int, progress: Callable[[str], None]) -> list[ComparisonRow]:
    """Return rows for each size: torch's own step, the drop-in, and the loss from logits.

    Raises:
        WrongResultError: A gradient of ours is not that of float64.
    """
    return compare(list(_comparisons(shrink)), rounds, progress)


class _Batch:
    """A batch of logits and labels, and the gradient that float64 gives."""

    def __init__(self, sizes: Sizes) -> None:
        random = torch.Generator().manual_seed(7)
        self.logits = torch.randn(sizes.frames, sizes.items, sizes.classes, generator=random)
        self.targets = torch.randint(1, sizes.classes, (sizes.items, sizes.labels), generator=random)
        self.lengths = (sizes.frames,) * sizes.items, (sizes.labels,) * sizes.items

    def step(self, loss: nn.Module, takes_logits: bool) -> "_Step":
        """Return a step to the gradient in the logits."""
        return _Step(loss, takes_logits, self.logits, self.targets, self.lengths)

    @cached_property
    def expected(self) -> Tensor:
        """Gradient of the first items in float64, by torch."""
        few = self.targets[:CHECKED], tuple(lengths[:CHECKED] for lengths in self.lengths)
        step = _Step(nn.CTCLoss(reduction="sum"), False, self.logits[:, :CHECKED].double(), *few)
        return step()


class _Step:
    """Forward and backward of a loss."""

    def __init__(
        self, loss: nn.Module, takes_logits: bool, logits: Tensor, targets: Tensor, lengths: Any
    ) -> None:
        self.loss, self.takes_logits = loss, takes_logits
        self.logits = logits.clone().requires_grad_()
        self.targets, self.lengths = targets, lengths

    def __call__(self) -> Tensor:
        """Run the step and return the gradient."""
        self.logits.grad = None
        scores = self.logits if self.takes_logits else self.logits.log_softmax(2)
        self.loss(scores, self.targets, *self.lengths).backward()
        assert self.logits.grad is not None
        return self.logits.grad


def _comparisons(shrink: int) -> Iterator[Comparison]:
    for sizes in SIZES:
        batch = _Batch(sizes.shrunk(shrink))
        torch_step = batch.step(nn.CTCLoss(reduction="sum"), False)
        steps = {
            "torch itself": (torch_step, float("inf")),
            "drop-in": (batch.step(wlt.CTCLoss(reduction="sum"), False), MOST_ERROR),
            "from logits": (batch.step(wlt.CTCLoss(reduction="sum", from_logits=True), True), MOST_ERROR),
        }
        for name, (step, most) in steps.items():
            yield Comparison(
                sizes.shrunk(shrink).title,
                name,
                TimedCall(step),
                AGAINST,
                TimedCall(torch_step),
                _check(name, step, batch, most),
                GOALS.get((sizes.title, name)),
            )


def _check(name: str, step: _Step, batch: _Batch, most: float) -> Callable[[], float]:
    def check() -> float:
        return error_of(name, {"gradient": step()[:, :CHECKED]}, {"gradient": batch.expected}, most)

    return check
