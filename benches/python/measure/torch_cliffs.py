"""Options and derivatives of the PyTorch loss beside the plain step, on the batch of W1.

The plain step is forward and backward of `SoftDTWLoss` to dX. What cannot be had from one reference alignment
is held against differences of such alignments, on the first pair.
"""

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

import warplens as wl
import warplens.torch as wlt

from ..contenders.peers import CostMatrix, bce_by_product, squared_distance_by_product
from ..workloads import UNIT, Workload
from .comparison import MOST_ERROR_OF_FLOAT32, Comparison, ComparisonRow, TimedCall, compare, error_of
from .reference import Reference, band_mask, reference, value

RADIUS = 0.1
"""Radius of the band, as a share of the longer sequence."""
DIFFERENCE = 1e-5
"""Step of the central differences."""

GOALS = {
    "align": 1.5,
    "gradients of x and y": 2.0,
    "gamma and step weights learned": 2.5,
    "band, 10 %": 0.8,
    "ce_logits": 2.0,
    "euclidean": 4.0,
    "l1": 4.0,
    "sharp": 6.0,
    "Hessian-vector product": 10.0,
    "debias": 16.0,
    "amerced": 12.0,
    "open ends": 12.0,
    "step pattern": 12.0,
}
"""Greatest ratio of each step to the plain step."""
MODELS: dict[str, dict[str, Any]] = {
    "amerced": {"step_penalties": (0.5, 0.5, 0.0), "step_weights": (1.0, 1.0, 1.0)},
    "open ends": {"open_begin": "y", "open_end": "both", "skip_penalty": 0.1},
    "step pattern": {"steps": [wl.Step(1, 0), wl.Step(1, 1), wl.Step(2, 1), wl.Step(1, 2)]},
}
"""Settings of the general model, whose results torch operations hold in float64."""
GOAL_OF_SMALL_STEP = 100e-6
"""Seconds of a step of one pair of 8 x 8 frames."""


def run(shrink: int, rounds: int, progress: Callable[[str], None]) -> list[ComparisonRow]:
    """Return a row for each kind of step.

    Raises:
        WrongResultError: A result is not that of the reference.
    """
    return compare(list(_comparisons(shrink)), rounds, progress)


def batch(shrink: int, cost: str) -> Workload:
    """Return W1 with a cost; `shrink` divides N, M and the number of pairs."""
    size = (max(4, 861 // shrink), max(4, 100 // shrink))
    weights = UNIT if cost == "mse" else (0.1, 1.0, 1.0)
    return Workload("W1", (size,) * max(2, 8 // shrink), 88, cost, step_weights=weights, seed=1)


def _half_squared_distance(x: Tensor, y: Tensor) -> Tensor:
    return 0.5 * squared_distance_by_product(x, y)


def _ce_logits(x: Tensor, y: Tensor) -> Tensor:
    return -log_softmax(x, dim=-1) @ y.mT


def _euclidean(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _l1(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y, p=1.0)


_COSTS: dict[str, CostMatrix] = {
    "bce": bce_by_product,
    "mse": _half_squared_distance,
    "ce_logits": _ce_logits,
    "euclidean": _euclidean,
    "l1": _l1,
}


class _Batch:
    """A batch, its losses, and what they must return."""

    def __init__(self, workload: Workload, cost: str) -> None:
        self.workload, self.cost = workload, cost
        xs, ys = workload.data
        self.x, self.y = (torch.from_numpy(np.stack(side)) for side in (xs, ys))
        self.mask: np.ndarray | None = None

    def costs(self, x: Tensor, y: Tensor) -> Tensor:
        """Return C (B,N,M) in float64, +inf outside the mask."""
        C = _COSTS[self.cost](x.double(), y.double())
        return C if self.mask is None else C.masked_fill(~torch.from_numpy(self.mask), torch.inf)

    def aligned(self, costs: Tensor) -> list[Reference]:
        """Return derivatives of each pair by the reference."""
        settings = self.workload.gamma, self.workload.step_weights
        return [reference(C.detach().numpy(), *settings) for C in costs]

    @cached_property
    def references(self) -> list[Reference]:
        """Derivatives of each pair of the batch."""
        return self.aligned(self.costs(self.x, self.y))

    def value(self) -> float:
        """Return the sum of the values."""
        return sum(each.value for each in self.references)

    def gradients(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the float64 gradients of the sum of values: those of <H,C> with H held fixed."""
        x, y = (side.detach().double().requires_grad_() for side in (x, y))
        costs = self.costs(x, y)
        H = torch.from_numpy(np.stack([each.H for each in self.aligned(costs)]))
        dx, dy = torch.autograd.grad((H * costs.masked_fill(H == 0, 0.0)).sum(), (x, y))
        return dx, dy

    def loss(self, **options: Any) -> wlt.SoftDTWLoss:
        """Return the loss that sums over the batch."""
        settings: dict[str, Any] = {"gamma": self.workload.gamma, **options}
        if "steps" not in options:
            settings.setdefault("step_weights", self.workload.step_weights)
        return wlt.SoftDTWLoss(self.cost, reduction="sum", **settings)

    def step(self, wants_y: bool = False, **options: Any) -> "_Step":
        """Return a step to dX and, where wanted, dY."""
        return _Step(self.loss(**options), self.x, self.y, wants_y)


class _Step:
    """Forward and backward of a loss; keeps value and gradients."""

    def __init__(self, loss: wlt.SoftDTWLoss, x: Tensor, y: Tensor, wants_y: bool) -> None:
        self.loss = loss
        self.x = x.clone().requires_grad_()
        self.y = y.clone().requires_grad_(wants_y)
        self.value = torch.empty(())

    def __call__(self) -> None:
        """Run the step."""
        self.x.grad = self.y.grad = None
        self.loss.zero_grad()
        value = self.loss(self.x, self.y)
        value.backward()
        self.value = value.detach()

    def check(self, name: str, expected: dict[str, Any]) -> float:
        """Run the step and return the error of what is expected."""
        self()
        found: dict[str, Any] = {
            "value": self.value,
            "x_grad": self.x.grad,
            "y_grad": self.y.grad,
            "gamma_grad": self.loss.gamma.grad,
            "step_weights_grad": None if self.loss.steps is not None else self.loss.step_weights.grad,
        }
        return error_of(name, {key: found[key] for key in expected}, expected, MOST_ERROR_OF_FLOAT32)


def _comparisons(shrink: int) -> Iterator[Comparison]:
    plain = _Batch(batch(shrink, "bce"), "bce")
    step = plain.step()
    dx, dy = plain.gradients(plain.x, plain.y)
    expected = {"value": plain.value(), "x_grad": dx}
    step.check("plain step", expected)

    def row(
        name: str,
        call: Callable[[], Any],
        check: Callable[[], float],
        beside: tuple[str, Callable[[], Any]] = ("plain step, bce", step),
        group: str = plain.workload.title,
    ) -> Comparison:
        return Comparison(
            group, name, TimedCall(call), beside[0], TimedCall(beside[1]), check, GOALS.get(name)
        )

    yield row("align", lambda: _aligned(plain), lambda: _check_align(plain))
    both = plain.step(wants_y=True)
    yield row(
        "gradients of x and y",
        both,
        lambda: both.check("gradients of x and y", {**expected, "y_grad": dy}),
    )
    learned = plain.step(
        gamma=torch.nn.Parameter(torch.tensor(plain.workload.gamma)),
        step_weights=torch.nn.Parameter(torch.tensor(plain.workload.step_weights)),
    )
    of_settings = {
        "gamma_grad": -sum(each.entropy for each in plain.references),
        "step_weights_grad": sum(each.step_weights_grad for each in plain.references),
    }
    yield row(
        "gamma and step weights learned",
        learned,
        lambda: learned.check("learned settings", {**expected, **of_settings}),
    )
    yield _band(shrink, row)
    logits = _Batch(batch(shrink, "bce_logits"), "ce_logits")
    of_logits = logits.step()
    yield row("ce_logits", of_logits, lambda: _check_step("ce_logits", logits, of_logits))
    for name in ("euclidean", "l1"):
        under = _Batch(batch(shrink, "bce_logits"), name)
        of_distance = under.step()
        check = partial(_check_step, name, under, of_distance)
        yield row(name, of_distance, check)
    sharp = plain.step(sharp=True)
    yield row("sharp", sharp, lambda: _check_sharp(plain, sharp))
    for name, options in MODELS.items():
        yield row(
            name, of_model := plain.step(**options), partial(_check_model, name, plain, of_model, options)
        )
    product = _HessianVectorProduct(plain)
    yield row("Hessian-vector product", product, product.check)
    squared = _Batch(batch(shrink, "mse"), "mse")
    debiased, biased = squared.step(debias=True), squared.step()
    yield row(
        "debias",
        debiased,
        lambda: _check_debias(squared, debiased),
        ("plain step, mse", biased),
        squared.workload.title,
    )
    small = _Batch(Workload("small", ((8, 8),), 8, "mse"), "mse")
    small_step = small.step()
    yield Comparison(
        small.workload.title,
        "a small step",
        TimedCall(small_step),
        "plain step, bce",
        TimedCall(step),
        lambda: _check_step("small step", small, small_step),
        goal_seconds=GOAL_OF_SMALL_STEP,
    )


def _check_step(name: str, of: _Batch, step: _Step) -> float:
    return step.check(name, {"value": of.value(), "x_grad": of.gradients(of.x, of.y)[0]})


def _aligned(of: _Batch) -> wlt.BatchAlignment:
    settings: dict[str, Any] = {"gamma": of.workload.gamma, "step_weights": of.workload.step_weights}
    return wlt.align(of.x, of.y, cost=of.cost, **settings)


def _check_align(of: _Batch) -> float:
    got = _aligned(of)
    expected: dict[str, Any] = {
        "value": [each.value for each in of.references],
        "h": [each.h for each in of.references],
        "entropy": [each.entropy for each in of.references],
        "y_mod": [
            each.H @ y / each.h[:, None] for each, y in zip(of.references, of.y.double().numpy(), strict=True)
        ],
    }
    found = {name: getattr(got, name) for name in expected}
    return error_of("align", found, expected, MOST_ERROR_OF_FLOAT32)


def _band(shrink: int, row: Callable[..., Comparison]) -> Comparison:
    banded = _Batch(batch(shrink, "bce"), "bce")
    n, m = banded.workload.sizes[0]
    band = wl.SakoeChiba(max(round(RADIUS * n), -(-(n - 1) // (m - 1))))
    banded.mask = band_mask(n, m, band.radius)
    step = banded.step(band=band)
    return row("band, 10 %", step, lambda: _check_step("band", banded, step))


def _check_model(name: str, of: _Batch, step: _Step, options: dict[str, Any]) -> float:
    """Check against torch operations, which share no recursion with the core."""
    x = of.x.double().requires_grad_()
    value = of.loss(backend="ops", **options)(x, of.y.double())
    (dx,) = torch.autograd.grad(value, x)
    return step.check(name, {"value": value.item(), "x_grad": dx})


def _check_sharp(of: _Batch, step: _Step) -> float:
    def total(references: list[Reference]) -> float:
        return sum(each.value + of.workload.gamma * each.entropy for each in references)

    error = step.check("sharp", {"value": total(of.references)})
    return max(error, _check_slope("sharp", of, step, lambda x: total(of.aligned(of.costs(x, of.y[:1])))))


def _check_debias(of: _Batch, step: _Step) -> float:
    def total(x: Tensor, y: Tensor) -> float:
        def values(a: Tensor, b: Tensor) -> float:
            settings = of.workload.gamma, of.workload.step_weights
            return sum(value(C.numpy(), *settings) for C in of.costs(a, b))

        return values(x, y) - 0.5 * (values(x, x) + values(y, y))

    error = step.check("debias", {"value": total(of.x, of.y)})
    return max(error, _check_slope("debias", of, step, lambda x: total(x, of.y[:1])))


def _check_slope(name: str, of: _Batch, step: _Step, total: Callable[[Tensor], float]) -> float:
    """Check the gradient of the first pair along one direction against a central difference."""
    x, direction = of.x[:1].double(), _direction(of.x[:1])
    rise = total(x + DIFFERENCE * direction) - total(x - DIFFERENCE * direction)
    assert step.x.grad is not None
    found = {"slope": float((step.x.grad[:1].double() * direction).sum())}
    return error_of(name, found, {"slope": rise / (2 * DIFFERENCE)}, MOST_ERROR_OF_FLOAT32)


def _direction(like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


class _HessianVectorProduct:
    """Product of the Hessian in x with one vector."""

    def __init__(self, of: _Batch) -> None:
        self._of = of
        self._loss = of.loss()
        self._x = of.x.clone().requires_grad_()
        self._direction = _direction(of.x)

    def __call__(self) -> Tensor:
        """Return the product, (B,N,D)."""
        (gradient,) = torch.autograd.grad(self._loss(self._x, self._of.y), self._x, create_graph=True)
        (product,) = torch.autograd.grad(gradient, self._x, self._direction.to(gradient.dtype))
        return product

    def check(self) -> float:
        """Check the product of the first pair against a difference of gradients."""
        x, y, direction = self._of.x[:1].double(), self._of.y[:1], self._direction[:1]
        (ahead, _), (behind, _) = (
            self._of.gradients(x + sign * DIFFERENCE * direction, y) for sign in (1.0, -1.0)
        )
        expected = {"product": (ahead - behind) / (2 * DIFFERENCE)}
        return error_of("Hessian-vector product", {"product": self()[:1]}, expected, MOST_ERROR_OF_FLOAT32)
