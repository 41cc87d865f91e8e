"""Weights and penalties of steps as tensors of a module."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from warplens._numbers import is_number
from warplens.family.model import sdtw_steps
from warplens.family.steps import Step, check_sizes
from warplens.torch.family.settings import Penalties, as_penalty, as_weight
from warplens.torch.inputs.masks import BatchShape
from warplens.torch.inputs.torch_private import UncastModule, shown

_ONE_CELL = BatchShape(1, 1, 1, None, None, torch.device("cpu"))


class KeptTensors(UncastModule):
    """Float64 buffers that no cast rounds, or parameters where they were given as `nn.Parameter`."""

    def __init__(self, **given: Any) -> None:
        super().__init__()
        for name, value in given.items():
            if isinstance(value, nn.Parameter):
                self.register_parameter(name, value)
            else:
                self.register_buffer(name, as_buffer(value))
        self.keep_settings(**given)


class StepTensors(KeptTensors):
    """A step of `SoftDTWLoss`: `n` and `m`, and `weight` and `penalty` as tensors."""

    weight: Tensor
    penalty: Tensor

    def __init__(self, step: Step) -> None:
        super().__init__(weight=step.weight, penalty=step.penalty)
        self.n = step.n
        self.m = step.m

    def __iter__(self) -> Iterator[Any]:
        """Return what a `Step` has."""
        return iter((self.n, self.m, self.weight, self.penalty))

    def extra_repr(self) -> str:
        """Return the settings, as `Step` takes them."""
        return f"{self.n}, {self.m}, {brief(self.weight)}, {brief(self.penalty)}"


class PenaltyTensors(KeptTensors):
    """The penalties of `SoftDTWLoss` for its three steps, where they are not three numbers."""

    horizontal: Tensor
    vertical: Tensor
    diagonal: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        """Return the three in the order of the step weights."""
        return iter((self.horizontal, self.vertical, self.diagonal))

    def extra_repr(self) -> str:
        """Return the three, as the constructor of the loss takes them."""
        return ", ".join(brief(penalty) for penalty in self)


def steps_of(steps: Sequence[Step]) -> nn.ModuleList:
    """Check steps as far as this can be done without the lengths, and make them modules."""
    checked = check_sizes(steps)
    for index, step in enumerate(checked):
        if is_number(step.weight):
            as_weight(f"steps[{index}].weight", step.weight, _ONE_CELL)
        if is_number(step.penalty):
            as_penalty(f"steps[{index}].penalty", step.penalty, _ONE_CELL)
    return nn.ModuleList(StepTensors(step) for step in checked)


def penalties_of(step_penalties: Penalties) -> Tensor | PenaltyTensors:
    """Check three penalties likewise; three numbers, or one tensor, are (3,)."""
    if isinstance(step_penalties, Tensor):
        if step_penalties.ndim == 0 or len(step_penalties) != 3:
            raise ValueError(
                f"step_penalties: has shape {tuple(step_penalties.shape)}; three penalties are accepted "
                "(horizontal, vertical, diagonal)"
            )
        return step_penalties
    listed = [step.penalty for step in sdtw_steps((1.0, 1.0, 1.0), cast(Any, step_penalties))]
    for index, penalty in enumerate(listed):
        if is_number(penalty):
            as_penalty(f"steps[{index}].penalty", penalty, _ONE_CELL)
    if all(is_number(penalty) for penalty in listed):
        return torch.tensor(listed, dtype=torch.float64)
    return PenaltyTensors(**dict(zip(("horizontal", "vertical", "diagonal"), listed, strict=True)))


def as_buffer(value: Any) -> Tensor:
    """Return a copy in float64."""
    if isinstance(value, Tensor):
        return value.detach().to(torch.float64, copy=True)
    return torch.tensor(value, dtype=torch.float64)


def brief(tensor: Tensor) -> str:
    """Return the numbers of a setting, or the shape of a larger one."""
    return shown(tensor) if tensor.ndim < 2 else f"<{' x '.join(str(size) for size in tensor.shape)}>"
