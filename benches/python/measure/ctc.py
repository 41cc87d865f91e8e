"""CTC beside that of torch: steps of the loss from logits to their gradient, one item in NumPy, and errors.

The plain step is torch's: `log_softmax`, `ctc_loss`, and backward to the logits. The drop-in takes the place
of `ctc_loss` alone; "from logits" is the loss that has the softmax in it. Errors are those of the gradient,
of the first items, against float64 in units of its largest entry or of 1; torch's own has a row of its own.

`warplens.ctc`, and `warplens.forward_sum` with a blank (that of NeMo and RAD-TTS), take one item to the
gradient in its log-probabilities, beside torch's `ctc_loss` and backward.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import warplens as wl
import warplens.torch as wlt

from .comparison import Comparison, ComparisonRow, TimedCall, compare, error_of

MOST_ERROR = 1e-5
"""Greatest error of our gradients."""
CHECKED = 2
"""Items that are checked."""

CTC_OF_ITEM, FORWARD_SUM_OF_ITEM = "warplens.ctc, one item", "warplens.forward_sum, one item"

GOALS = {
    ("B=16 T=1000 K=80 L=100", "drop-in"): 1 / 15,
    ("B=16 T=1000 K=80 L=100", "from logits"): 1 / 30,
    ("B=32 T=500 K=5000 L=60", "drop-in"): 1 / 2.5,
    ("B=32 T=500 K=5000 L=60", "from logits"): 1 / 15,
    ("B=16 T=1000 K=80 L=100", CTC_OF_ITEM): 1 / 6,
    ("B=16 T=1000 K=80 L=100", FORWARD_SUM_OF_ITEM): 1 / 4,
    ("B=32 T=500 K=5000 L=60", CTC_OF_ITEM): 1 / 3,
    ("B=32 T=500 K=5000 L=60", FORWARD_SUM_OF_ITEM): 1 / 4,
}
"""Greatest ratio of each step to torch's, by sizes of the whole batch."""

AGAINST = "log_softmax and torch's ctc_loss"

BLANK_LOGPROB = -1.0
"""The blank's score beside those of tokens."""


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
        self.tokens = torch.randn(sizes.frames, sizes.labels, generator=random)
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
        for name, plain, call, check in _of_one_item(batch, sizes.shrunk(shrink)):
            yield Comparison(
                sizes.shrunk(shrink).title,
                name,
                TimedCall(call),
                "torch's ctc_loss, one item",
                TimedCall(plain),
                check,
                GOALS.get((sizes.title, name)),
            )


def _of_one_item(
    batch: _Batch, sizes: Sizes
) -> Iterator[tuple[str, "_ItemStep", Callable[[], Any], Callable[[], float]]]:
    """Yield calls in NumPy, each with its name, the step of torch, and a check."""
    log_probs, token_log_probs = batch.logits[:, 0].log_softmax(1), batch.tokens.log_softmax(1)
    labels, tokens = batch.targets[0], torch.arange(1, sizes.labels + 1)

    def of_item(scores: Tensor, targets: Tensor) -> Tensor:
        return F.ctc_loss(scores, targets, (sizes.frames,), (sizes.labels,), reduction="sum")

    def with_blank(scores: Tensor) -> Tensor:
        return of_item(F.pad(scores, (1, 0), value=BLANK_LOGPROB).log_softmax(1), tokens)

    def by_ctc() -> Any:
        return wl.ctc(log_probs.numpy(), labels.numpy()).x_grad

    def by_forward_sum() -> Any:
        return wl.forward_sum(token_log_probs.numpy(), blank_logprob=BLANK_LOGPROB).x_grad

    # torch takes rows for normalised, so that its gradient has the softmax in it.
    plain = _ItemStep(log_probs, lambda scores: of_item(scores, labels))
    yield CTC_OF_ITEM, plain, by_ctc, _check_item(CTC_OF_ITEM, plain, by_ctc, log_probs.exp())
    plain = _ItemStep(token_log_probs, with_blank)
    check = _check_item(FORWARD_SUM_OF_ITEM, plain, by_forward_sum, torch.zeros(()))
    yield FORWARD_SUM_OF_ITEM, plain, by_forward_sum, check


class _ItemStep:
    """Forward and backward of a loss of one item."""

    def __init__(self, scores: Tensor, loss: Callable[[Tensor], Tensor]) -> None:
        self.scores, self.loss = scores.clone().requires_grad_(), loss

    def __call__(self) -> Tensor:
        """Run the step and return the gradient."""
        self.scores.grad = None
        self.loss(self.scores).backward()
        assert self.scores.grad is not None
        return self.scores.grad

    def exact(self) -> Tensor:
        """Return the gradient in float64."""
        return _ItemStep(self.scores.detach().double(), self.loss)()


def _check_item(name: str, plain: _ItemStep, call: Callable[[], Any], beside: Tensor) -> Callable[[], float]:
    def check() -> float:
        got = torch.from_numpy(call().copy()) + beside
        return error_of(name, {"gradient": got}, {"gradient": plain.exact()}, MOST_ERROR)

    return check


def _check(name: str, step: _Step, batch: _Batch, most: float) -> Callable[[], float]:
    def check() -> float:
        return error_of(name, {"gradient": step()[:, :CHECKED]}, {"gradient": batch.expected}, most)

    return check
