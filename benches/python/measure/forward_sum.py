"""`ForwardSumLoss` beside the usual way: a blank beside padded rows, and torch's `ctc_loss`, item after item.

Steps go from log-probabilities of a text-to-speech batch, of items of their own lengths, to their gradient.
The plain step is that of the published code; another row makes one masked call of torch for all items. Errors
are those of the gradient against float64, in units of its largest entry or of 1.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

import warplens.torch as wlt

from .comparison import Comparison, ComparisonRow, TimedCall, compare, error_of

MOST_ERROR = 1e-5
"""Greatest error of our gradients."""
GOAL = 1 / 10
"""Greatest ratio of our steps to the usual one."""
AGAINST = "a blank, and torch's ctc_loss item after item"
BLANK = -1.0
ITEMS, FRAMES, TOKENS = 16, 800, 150


def run(shrink: int, rounds: int, progress: Callable[[str], None]) -> list[ComparisonRow]:
    """Return rows for the usual way, for one call of torch, and for our losses with and without a blank.

    Raises:
        WrongResultError: A gradient of ours is not that of float64.
    """
    return compare(list(_comparisons(shrink)), rounds, progress)


class _Batch:
    """Log-probabilities (B,N,M) of items of 70 to 100 % of the greatest lengths."""

    def __init__(self, shrink: int) -> None:
        random = torch.Generator().manual_seed(11)
        items, frames, tokens = max(2, ITEMS // shrink), max(8, FRAMES // shrink), max(3, TOKENS // shrink)
        self.log_probs = torch.randn(items, frames, tokens, generator=random).log_softmax(2)
        shares = torch.linspace(1.0, 0.7, items)
        self.x_lengths = (frames * shares).long().tolist()
        self.y_lengths = (tokens * shares).long().tolist()

    @property
    def title(self) -> str:
        """The sizes in words."""
        B, N, M = self.log_probs.shape
        return f"B={B} N={N} M={M}"

    def gradient(self, loss: Callable[[Tensor], Tensor], log_probs: Tensor | None = None) -> Tensor:
        """Run a step and return the gradient in the log-probabilities."""
        x = (self.log_probs if log_probs is None else log_probs).detach().requires_grad_()
        loss(x).backward()
        assert x.grad is not None
        return x.grad


def _item_by_item(batch: _Batch, log_probs: Tensor) -> Tensor:
    padded = functional.pad(log_probs, (1, 0), value=BLANK)
    total = log_probs.new_zeros(())
    for item, (N, M) in enumerate(zip(batch.x_lengths, batch.y_lengths, strict=True)):
        rows = padded[item, :N, None, : M + 1].log_softmax(2)
        total = total + functional.ctc_loss(rows, torch.arange(1, M + 1)[None], (N,), (M,), reduction="sum")
    return total


def _in_one_call(batch: _Batch, log_probs: Tensor) -> Tensor:
    padded = functional.pad(log_probs, (1, 0), value=BLANK)
    classes = torch.arange(padded.shape[2])
    behind = classes > torch.tensor(batch.y_lengths)[:, None]
    rows = padded.masked_fill(behind[:, None], -1e4).log_softmax(2).transpose(0, 1)
    targets = classes[1:].expand(len(log_probs), -1)
    lengths = tuple(batch.x_lengths), tuple(batch.y_lengths)
    return functional.ctc_loss(rows, targets, *lengths, reduction="sum")


def _ours(batch: _Batch, loss: wlt.ForwardSumLoss, log_probs: Tensor) -> Tensor:
    found: Tensor = loss(log_probs, batch.x_lengths, batch.y_lengths)
    return found


def _comparisons(shrink: int) -> Iterator[Comparison]:
    batch = _Batch(shrink)
    usual = partial(_item_by_item, batch)
    with_blank = partial(_ours, batch, wlt.ForwardSumLoss(blank_logprob=BLANK, reduction="sum"))
    without = partial(_ours, batch, wlt.ForwardSumLoss(reduction="sum"))
    by_operations = partial(_ours, batch, wlt.ForwardSumLoss(reduction="sum", backend="ops"))
    rows: tuple[tuple[str, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], float | None], ...] = (
        ("torch itself", usual, usual, None),
        ("torch in one call", partial(_in_one_call, batch), usual, None),
        ("with a blank", with_blank, usual, GOAL),
        ("without a blank", without, by_operations, GOAL),
    )
    for name, loss, truth, goal in rows:
        yield Comparison(
            batch.title,
            name,
            TimedCall(partial(batch.gradient, loss)),
            AGAINST,
            TimedCall(partial(batch.gradient, usual)),
            _check(name, batch, loss, truth, float("inf") if goal is None else MOST_ERROR),
            goal,
        )


def _check(
    name: str,
    batch: _Batch,
    loss: Callable[[Tensor], Tensor],
    truth: Callable[[Tensor], Tensor],
    most: float,
) -> Callable[[], float]:
    def check() -> float:
        exact = batch.gradient(truth, batch.log_probs.double())
        return error_of(name, {"gradient": batch.gradient(loss)}, {"gradient": exact}, most)

    return check
