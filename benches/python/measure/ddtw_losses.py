"""Losses of ddtw beside ours that compute the same, forward and backward to predictions or log-probabilities.

The plain step is ddtw's, with its Numba backend in float32 and the cost that it ships; ours has the settings
of the site's page on conversions. Each gradient is held against ours in float64, in units of its largest
entry.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import warplens.torch as wlt

from .comparison import Comparison, ComparisonRow, TimedCall, WrongResultError, compare

MOST_ERROR = 1e-4
"""Greatest error of our gradients."""
MOST_ERROR_OF_DDTW = 0.05
"""Greatest error of theirs: accumulated costs in float32 leave it at some thousandths."""
AGAINST = "ddtw, Numba, float32"

Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Pair:
    """A loss of both, and a leaf."""

    group: str
    name: str
    leaf: Tensor
    theirs: Loss
    ours: Loss


def run(shrink: int, rounds: int, progress: Callable[[str], None]) -> list[ComparisonRow]:
    """Return a row for each loss, or one that says that ddtw is not installed.

    Raises:
        WrongResultError: A gradient is not that of float64.
    """
    try:
        pairs = [*_of_features(shrink), *_of_labels(shrink)]
    except ImportError as error:
        return [ComparisonRow("peers", "ddtw", "", note=f"not installed: {error}")]
    return compare([_comparison(pair) for pair in pairs], rounds, progress)


def _comparison(pair: _Pair) -> Comparison:
    return Comparison(
        pair.group,
        pair.name,
        TimedCall(lambda: _gradient(pair.ours, pair.leaf)),
        AGAINST,
        TimedCall(lambda: _gradient(pair.theirs, pair.leaf)),
        lambda: _error(pair),
    )


def _gradient(loss: Loss, leaf: Tensor) -> Tensor:
    x = leaf.detach().requires_grad_()
    loss(x).backward()
    assert x.grad is not None
    return x.grad


def _error(pair: _Pair) -> float:
    """Return the error of our gradient; theirs is checked too."""
    exact = _gradient(pair.ours, pair.leaf.double())
    errors = {}
    limits = {"ddtw": MOST_ERROR_OF_DDTW, "warplens": MOST_ERROR}
    for package, loss in (("ddtw", pair.theirs), ("warplens", pair.ours)):
        errors[package] = float((_gradient(loss, pair.leaf) - exact).abs().max() / exact.abs().max())
        if not errors[package] <= limits[package]:  # NaN is wrong
            raise WrongResultError(f"{pair.name}: the gradient of {package} is off by {errors[package]:.1e}")
    return errors["warplens"]


def _of_features(shrink: int) -> Iterator[_Pair]:
    from ddtw import SDTW, subSDTW

    B, N, M, D = max(2, 8 // shrink), max(8, 861 // shrink), max(4, 100 // shrink), max(3, 88 // shrink)
    random = torch.Generator().manual_seed(17)
    x = torch.rand(B, N, D, generator=random).clamp(0.01, 0.99)
    y = (torch.rand(B, M, D, generator=random) < 0.05).float()
    group = f"B={B} N={N} M={M} D={D}"
    backend: dict[str, Any] = {"normalization": "none", "backend": "cpu_numba"}
    for name, theirs, ours in (
        (
            "SDTW, MSE",
            SDTW(cost_function="MSE", **backend),
            wlt.SoftDTWLoss("sqeuclidean"),
        ),
        (
            "SDTW, BCE",
            SDTW(cost_function="BCE", **backend),
            wlt.SoftDTWLoss("bce"),
        ),
        (
            "subsequences of x, MSE",
            subSDTW(cost_function="MSE", sub_Y=False, compensate_subseq=False, **backend),
            wlt.SoftDTWLoss("sqeuclidean", open_begin="x", open_end="x"),
        ),
    ):
        yield _Pair(
            group,
            name,
            x,
            lambda leaf, loss=theirs: loss(leaf, y),
            lambda leaf, loss=ours: loss(leaf, y.to(leaf.dtype)),
        )


def _of_labels(shrink: int) -> Iterator[_Pair]:
    from ddtw import CTC

    L = max(2, 100 // shrink)
    B, T, K = max(2, 16 // shrink), max(3 * L, 1000 // shrink), max(4, 80 // shrink)
    random = torch.Generator().manual_seed(18)
    log_probs = torch.randn(B, T, K, generator=random).log_softmax(2)
    labels = torch.randint(1, K, (B, L), generator=random)
    lengths = [T] * B, [L] * B
    for name, weight in (("CTC", 1.0), ("CTC, blank weight 2", 2.0)):
        theirs = CTC(blank_penalty_weight=weight, backend="cpu_numba")
        ours = wlt.CTCLoss(blank_weight=weight, free_between=True)
        yield _Pair(
            f"B={B} T={T} K={K} L={L}",
            name,
            log_probs,
            lambda x, loss=theirs: loss(x, labels),
            lambda x, loss=ours: loss(x.transpose(0, 1), labels, *lengths),
        )
