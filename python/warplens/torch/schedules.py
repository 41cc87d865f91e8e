"""Schedules of gamma, in the manner of torch's lr_schedulers.

Constructing one sets the first gamma, `step()` moves to the next: after each optimizer step or each epoch, as
the steps of the schedule are counted. The buffer of the loss is changed in place, so nothing is
compiled again. A high gamma lets the gradient reach many alignments while the network knows little, a low one
teaches short events as strongly as long ones (Zeitler & Mueller, ISMIR 2025, section 5.3).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from warplens._numbers import as_count, as_number
from warplens.torch.diagonal_prior import DiagonalPrior

Points = Sequence[tuple[int, float]]
"""(step, value), steps ascending."""


class Schedule(ABC):
    """A rule that moves a number, a buffer of a module, step by step.

    Attributes:
        last_step: how often `step` was called.
        last: the number that was set last.
    """

    _not_saved: tuple[str, ...] = ("_module", "_buffer")

    def __init__(self, module: nn.Module, buffer: str) -> None:
        self._module = module
        self._buffer = buffer
        self.last_step = 0
        self._tensor()
        self.last = self._value()
        self._write()

    @property
    def moves(self) -> str:
        """The name of the number that it moves: "gamma" or "weight"."""
        return self._buffer

    @abstractmethod
    def _value(self) -> float:
        """Return the number at `last_step`; called once a step, in order."""

    def step(self) -> None:
        """Move to the next step."""
        self.last_step += 1
        self.last = self._value()
        self._write()

    def state_dict(self) -> dict[str, Any]:
        """Return kind, settings and position, without the module: plain numbers, strings and lists."""
        kept = {name: deepcopy(value) for name, value in vars(self).items() if name not in self._not_saved}
        return {"kind": type(self).__name__, **kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings and position, and set the number that they ask for.

        Raises:
            TypeError: its position is no number.
            ValueError: the state is that of another kind of schedule, or its position is out of range.
        """
        expected = self.state_dict()
        kind = state.get("kind")
        if kind != expected["kind"]:
            raise ValueError(
                f"state: is of the kind {kind!r}, but this is a {expected['kind']}; load one of the same kind"
            )
        if set(state) != set(expected):
            raise ValueError(
                f"state: has the keys {sorted(state)}, but a {kind} keeps {sorted(expected)}; load one that "
                "this version saved"
            )
        as_count("state: last_step", state["last_step"], least=0)
        as_number("state: last", state["last"])
        vars(self).update({name: deepcopy(value) for name, value in state.items() if name != "kind"})
        self._write()

    def _tensor(self) -> Tensor:
        tensor = getattr(self._module, self._buffer, None)
        if isinstance(tensor, nn.Parameter):
            raise ValueError(
                f"loss: its {self._buffer} is an nn.Parameter, which an optimizer moves; a schedule moves a "
                "number: give the loss one"
            )
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"loss: is a {type(self._module).__name__}, which has no buffer {self._buffer!r}; a loss "
                "with a gamma, as SoftDTWLoss, is accepted, for the weight of a prior a DiagonalPrior"
            )
        return tensor

    def _write(self) -> None:
        with torch.no_grad():
            self._tensor().fill_(self.last)


class GammaSchedule(Schedule):
    """A schedule of the gamma of a loss; its kinds have the formulas.

    Args:
        loss: a loss with a `gamma`, `SoftDTWLoss`, `CTCLoss` or another, that is a number and not an
            `nn.Parameter`.

    Raises:
        ValueError: gamma is an `nn.Parameter`.
        TypeError: the loss has no gamma.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__(loss, "gamma")

    def get_last_gamma(self) -> float:
        """Return the gamma that was set last."""
        return self.last


class ConstantGamma(GammaSchedule):
    """Constant schedule gamma(t) = gamma.

    Args:
        loss: a loss with a `gamma` that is a number, as `GammaSchedule` takes it.
        gamma: 0 or more, finite.

    Raises:
        ValueError: gamma is negative or not finite, or as `GammaSchedule`.
    """

    def __init__(self, loss: nn.Module, gamma: float) -> None:
        self.gamma = as_number("gamma", gamma)
        super().__init__(loss)

    def _value(self) -> float:
        return self.gamma


class LinearGamma(GammaSchedule):
    """Linear schedule gamma(t) = start + (end - start) min(t / steps, 1).

    Args:
        loss: a loss with a `gamma` that is a number, as `GammaSchedule` takes it.
        start: gamma before the first step, 0 or more, finite.
        end: gamma after `steps` steps and for ever, 0 or more, finite.
        steps: number of steps from one to the other, at least 1.

    Raises:
        ValueError: one of them is out of range, or as `GammaSchedule`.
    """

    def __init__(self, loss: nn.Module, start: float, end: float, steps: int) -> None:
        self.start, self.end = as_number("start", start), as_number("end", end)
        self.steps = as_count("steps", steps)
        super().__init__(loss)

    def _value(self) -> float:
        return interpolated(((0, self.start), (self.steps, self.end)), self.last_step)


class ExponentialGamma(GammaSchedule):
    """Exponential schedule gamma(t) = start (end / start)^min(t / steps, 1).

    Args:
        loss: a loss with a `gamma` that is a number, as `GammaSchedule` takes it.
        start: gamma before the first step, above 0, finite.
        end: gamma after `steps` steps and for ever, above 0, finite.
        steps: number of steps from one to the other, at least 1.

    Raises:
        ValueError: one of them is out of range, or as `GammaSchedule`.
    """

    def __init__(self, loss: nn.Module, start: float, end: float, steps: int) -> None:
        self.start, self.end = (
            as_number("start", start, above_zero=True),
            as_number("end", end, above_zero=True),
        )
        self.steps = as_count("steps", steps)
        super().__init__(loss)

    def _value(self) -> float:
        if self.last_step >= self.steps:
            return self.end
        return float(self.start * (self.end / self.start) ** (self.last_step / self.steps))


class PiecewiseGamma(GammaSchedule):
    """Piecewise linear schedule: linear between points, constant before the first and after the last.

    Args:
        loss: a loss with a `gamma`.
        points: (step, gamma), steps whole and ascending.

    Raises:
        ValueError: no points, steps that do not ascend, a gamma that is negative or not finite.
    """

    def __init__(self, loss: nn.Module, points: Points) -> None:
        self.points = _checked_points(points)
        super().__init__(loss)

    @classmethod
    def published(cls, loss: nn.Module, *, steps_per_epoch: int = 1) -> Self:
        """Return the published schedule: gamma 10 for 10 epochs, linear to 0.1 over 10 more, then constant.

        Args:
            loss: a loss with a `gamma` that is a number, as `GammaSchedule` takes it.
            steps_per_epoch: calls of `step` in an epoch; 1 where it is called after each epoch.

        Source: J. Zeitler, S. Deniffel, M. Krause and M. Mueller, ISMIR 2023, and the code that goes with it.
        """
        epoch = as_count("steps_per_epoch", steps_per_epoch)
        return cls(loss, [(10 * epoch, 10.0), (20 * epoch, 0.1)])

    def _value(self) -> float:
        return interpolated(self.points, self.last_step)


class PiecewisePriorWeight(Schedule):
    """The weight of a `DiagonalPrior` over time: as `PiecewiseGamma` moves gamma.

    Args:
        prior: the prior whose weight it moves.
        points: (step, weight), steps whole and ascending, weights 0 or more.

    Raises:
        ValueError: no points, steps that do not ascend, a weight that is negative or not finite.
    """

    def __init__(self, prior: DiagonalPrior, points: Points) -> None:
        self.points = _checked_points(points)
        super().__init__(prior, "weight")

    @classmethod
    def published(cls, prior: DiagonalPrior, *, steps_per_epoch: int = 1) -> Self:
        """Return the published schedule: weight 3 for 5 epochs, linear to 0 over 5 more.

        Args:
            prior: the prior whose weight it moves.
            steps_per_epoch: calls of `step` in an epoch; 1 where it is called after each epoch.

        Source: J. Zeitler, S. Deniffel, M. Krause and M. Mueller, ISMIR 2023, and the code that goes with it.
        """
        epoch = as_count("steps_per_epoch", steps_per_epoch)
        return cls(prior, [(5 * epoch, 3.0), (10 * epoch, 0.0)])

    def get_last_weight(self) -> float:
        """Return the weight that was set last."""
        return self.last

    def _value(self) -> float:
        return interpolated(self.points, self.last_step)


def interpolated(points: Points, step: int) -> float:
    """Return the value at a step: linear between the points, constant outside."""
    first_step, first = points[0]
    if step <= first_step:
        return first
    for (a, low), (b, high) in pairwise(points):
        if step < b:
            return low + (high - low) * ((step - a) / (b - a))
    return points[-1][1]


def _checked_points(points: Points) -> list[tuple[int, float]]:
    checked = []
    for index, point in enumerate(points):
        try:
            step, value = point
        except (TypeError, ValueError):
            raise TypeError(f"points: entry {index} is {point!r}; a pair (step, value) is accepted") from None
        checked.append((as_count(f"points[{index}]", step, least=0), as_number(f"points[{index}]", value)))
        if index and checked[-1][0] <= checked[-2][0]:
            raise ValueError(
                f"points: entry {index} is at step {step}, after step {checked[-2][0]}; steps must ascend"
            )
    if not checked:
        raise ValueError("points: empty; at least one (step, value) is needed")
    return checked
