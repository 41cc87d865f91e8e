"""From the arguments of a call to a checked model, by the rules of the NumPy functions.

Numbers and arrays are checked as there, tensors by their shapes, and by their values where these can be read.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from warplens._bands import Band
from warplens._numbers import is_number
from warplens._step_weights import UNIT_WEIGHTS
from warplens.family import general, parameters
from warplens.family.ends import check_open_ends
from warplens.family.general import check_no_band, chosen_steps
from warplens.family.model import NO_PENALTIES, gamma_of, sdtw_steps
from warplens.family.steps import Step, check_sizes
from warplens.torch.family.model import CORNER, BatchModel, EndKind, Ends
from warplens.torch.inputs.batches import as_dtype, values_are_readable, widest_dtype
from warplens.torch.inputs.masks import BatchShape
from warplens.torch.inputs.settings import RecursionSettings, Weights, as_recursion_settings

Parameter: TypeAlias = ArrayLike | Tensor
"""A number, (N,1), (1,M) or (N,M), or with a leading axis of B."""
Penalties: TypeAlias = Sequence[Parameter] | Tensor
"""Three parameters: horizontal, vertical, diagonal."""
SkipPenalty: TypeAlias = float | Sequence[float] | Tensor
"""The penalty for each frame that is left out: one number, or (at the beginning, at the end)."""


def model_of_pairs(
    shape: BatchShape,
    *,
    gamma: float | Tensor,
    step_weights: Weights,
    band: Band | None,
    steps: Sequence[Step] | None,
    step_penalties: Penalties,
    open_begin: str | None,
    open_end: str | None,
    skip_penalty: SkipPenalty,
    minimum: str,
) -> BatchModel | None:
    """Check the settings of `align`; None where they are those of plain soft DTW, whatever gamma is.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: An argument is out of range; the message names it.
    """
    gamma_of(minimum, 0.0)
    plain = is_plain(steps, step_penalties, open_begin, open_end)
    if plain and is_number(skip_penalty) and skip_penalty == 0:
        return None
    penalties = as_skip_penalties(open_begin, open_end, skip_penalty)
    if plain:
        return None
    check_no_band(band)
    ends = [
        _border(side, penalty, shape, at_end=at_end)
        for side, penalty, at_end in ((open_begin, penalties[0], False), (open_end, penalties[1], True))
    ]
    return _model(shape, gamma, step_weights, steps, step_penalties, minimum, None, 0.0, ends[0], ends[1])


def model_of_costs(
    shape: BatchShape,
    *,
    gamma: float | Tensor,
    step_weights: Weights,
    band: Band | None,
    steps: Sequence[Step] | None,
    step_penalties: Penalties,
    entry: Parameter | None,
    exit: Parameter | None,
    entry_weight: Parameter | None,
    exit_weight: Parameter,
    minimum: str,
) -> BatchModel | None:
    """Check the settings of `align_costs`; None where they are those of plain soft DTW."""
    gamma_of(minimum, 0.0)
    is_weighted = not (isinstance(exit_weight, float) and exit_weight == 0)
    if not is_weighted and is_plain(steps, step_penalties, entry, exit, entry_weight):
        return None
    check_no_band(band)
    begin, end = (
        CORNER if costs is None else Ends("cells", (as_penalty(name, costs, shape),))
        for name, costs in (("entry", entry), ("exit", exit))
    )
    return _model(
        shape, gamma, step_weights, steps, step_penalties, minimum, entry_weight, exit_weight, begin, end
    )


def plain_model(shape: BatchShape, settings: RecursionSettings) -> BatchModel:
    """Return plain soft DTW as a model, without its band."""
    gamma, weights = settings.gamma, settings.step_weights
    return _model(shape, gamma, weights, None, NO_PENALTIES, "softmin", None, 0.0, CORNER, CORNER)


def check_no_divergence(*, debias: bool, sharp: bool) -> None:
    """Check that neither the divergence nor the sharp value is asked for beside steps, penalties or ends."""
    for name, asked in (("debias", debias), ("sharp", sharp)):
        if asked:
            raise ValueError(
                f"{name}: belongs to plain soft DTW, without steps, penalties and open ends; "
                f"{name}=False is accepted beside them"
            )


def is_plain(steps: Sequence[Step] | None, step_penalties: Penalties, *ends: object) -> bool:
    """Tell if the settings are those of plain soft DTW, as `warplens.family.general.is_plain`."""
    if not torch.compiler.is_compiling():
        return general.is_plain(steps, cast(Any, step_penalties), *ends)
    # Compilers make new tuples of the same numbers.
    is_default = isinstance(step_penalties, tuple) and all(is_number(b) and b == 0 for b in step_penalties)
    return steps is None and is_default and all(end is None for end in ends)


def softness_of(gamma: float | Tensor, minimum: str) -> float | Tensor:
    """Return gamma, or for the hard minimum 0, to which gamma has a derivative of 0."""
    if minimum == "softmin":
        return gamma
    return gamma * 0.0 if isinstance(gamma, Tensor) else 0.0


def as_weight(name: str, value: Parameter, shape: BatchShape) -> Tensor:
    """Check a weight, finite and not negative, and return it as (b,n,m) float64."""
    return _as_parameter(name, value, shape, is_weight=True)


def as_penalty(name: str, value: Parameter, shape: BatchShape) -> Tensor:
    """Check a penalty, above -inf, and return it as (b,n,m) float64."""
    return _as_parameter(name, value, shape, is_weight=False)


def _model(
    shape: BatchShape,
    gamma: float | Tensor,
    step_weights: Weights,
    steps: Sequence[Step] | None,
    step_penalties: Penalties,
    minimum: str,
    entry_weight: Parameter | None,
    exit_weight: Parameter,
    entry: Ends,
    exit: Ends,
) -> BatchModel:
    settings = as_recursion_settings(gamma, UNIT_WEIGHTS if steps is not None else step_weights, None)
    if steps is None:
        listed = sdtw_steps(cast(Any, settings.step_weights.unbind()), cast(Any, step_penalties))
    else:
        if not torch.compiler.is_compiling():
            chosen_steps(steps, cast(Any, step_weights), cast(Any, step_penalties))
        listed = check_sizes(steps)
    weights, penalties = [], []
    for index, step in enumerate(listed):
        weights.append(as_weight(f"steps[{index}].weight", step.weight, shape))
        penalties.append(as_penalty(f"steps[{index}].penalty", step.penalty, shape))
    sizes = tuple((step.n, step.m) for step in listed)
    if entry_weight is not None:
        first = as_weight("entry_weight", entry_weight, shape)
    else:
        first = weights[sizes.index((1, 1))] if (1, 1) in sizes else _number(1.0)
    weighs_ends = isinstance(exit_weight, Tensor) or not (is_number(exit_weight) and exit_weight == 0)
    is_hard: bool | None = True
    if minimum == "softmin":
        is_hard = None if settings.numbers is None else settings.numbers[0] == 0
    return BatchModel(
        gamma=settings.gamma,
        is_hard=is_hard,
        sizes=sizes,
        weights=tuple(weights),
        penalties=tuple(penalties),
        entry_weight=first,
        exit_weight=as_weight("exit_weight", exit_weight, shape) if weighs_ends else None,
        entry=entry,
        exit=exit,
    )


def _as_parameter(name: str, value: Parameter, shape: BatchShape, *, is_weight: bool) -> Tensor:
    if is_number(value):
        number = float(cast(float, value))
        proper = 0 <= number < math.inf if is_weight else number > -math.inf
        if not proper:
            rule = parameters.WEIGHTS if is_weight else parameters.PENALTIES
            raise ValueError(f"{name}: is {number}; {rule}")
        return _number(number)
    grid = (shape.rows, shape.columns)
    check = parameters.as_weight if is_weight else parameters.as_penalty
    if not isinstance(value, Tensor):
        if not torch.compiler.is_compiling():
            return torch.tensor(check(name, value, grid)).unsqueeze(0)
        value = torch.as_tensor(value, dtype=torch.float64)
    if value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name}: has dtype {value.dtype}; real numbers are accepted")
    if value.ndim == 3:
        if len(value) not in (1, shape.batch):
            raise ValueError(
                f"{name}: has shape {tuple(value.shape)}; {parameters.SHAPES} is accepted, or B of them in "
                f"front, here B = {shape.batch}"
            )
    elif value.ndim:
        parameters.check_grid(name, tuple(value.shape), grid)
    parameter = as_dtype(value, torch.float64)
    parameter = parameter.reshape(1, 1, 1) if value.ndim == 0 else parameter
    parameter = parameter.unsqueeze(0) if value.ndim == 2 else parameter
    parameters.check_grid(name, tuple(parameter.shape[1:]), grid)
    if values_are_readable(value):
        for index, of_pair in enumerate(parameter.detach().numpy()):
            check(name if len(parameter) == 1 else f"{name}[{index}]", of_pair, grid)
    return parameter


def _number(number: float) -> Tensor:
    return torch.full((1, 1, 1), number, dtype=torch.float64)


def as_skip_penalties(
    open_begin: str | None, open_end: str | None, skip_penalty: SkipPenalty
) -> tuple[Tensor, Tensor]:
    """Check sides and penalties, and return () float64 for the beginning and the end."""
    if not isinstance(skip_penalty, Tensor):
        begin, end = check_open_ends(open_begin, open_end, skip_penalty)
        return torch.tensor(begin, dtype=torch.float64), torch.tensor(end, dtype=torch.float64)
    if skip_penalty.shape not in ((), (1,), (2,)) or skip_penalty.is_complex():
        raise ValueError(
            f"skip_penalty: has shape {tuple(skip_penalty.shape)} and dtype {skip_penalty.dtype}; "
            "a number or (begin, end) is accepted"
        )
    readable = values_are_readable(skip_penalty)
    numbers = skip_penalty.detach().expand(2).tolist() if readable else [0.0, 0.0]
    check_open_ends(open_begin, open_end, numbers)
    of_begin, of_end = as_dtype(skip_penalty, torch.float64).expand(2).unbind()
    return of_begin, of_end


def _border(side: str | None, penalty: Tensor, shape: BatchShape, *, at_end: bool) -> Ends:
    """Return the costs along the border of the sides that are open: frames left out, times their penalty."""
    if side is None:
        return CORNER
    costs: list[Tensor] = []
    kind: EndKind = "border" if side == "both" else ("row" if side == "y" else "column")
    last = shape.ends()
    if side in ("y", "both"):
        costs.append(_skipped(shape.columns, last[1], shape.y_lengths, at_end).unsqueeze(1))
    if side in ("x", "both"):
        costs.append(_skipped(shape.rows, last[0], shape.x_lengths, at_end).unsqueeze(2))
    penalty = penalty.to(shape.device, widest_dtype(shape.device), non_blocking=True)
    return Ends(kind, tuple(count * penalty for count in costs))


def _skipped(frames: int, last: Tensor, lengths: Tensor | None, at_end: bool) -> Tensor:
    """Return how many frames lie before each, or after it, (B or 1, T)."""
    index = torch.arange(frames, device=last.device, dtype=widest_dtype(last.device)).unsqueeze(0)
    if not at_end:
        return index
    if lengths is None:
        return index.flip(1)
    return (last.unsqueeze(1) - index).clamp(min=0)
