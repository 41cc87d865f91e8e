"""The loss as operators of `torch.library`, for `torch.compile` and the transforms of `torch.func`.

Neither can follow the Rust core, nor an `autograd.Function` that closes over its batch. They meet two
operators instead:

    warplens::soft_dtw_of_pairs(x, y, ...) -> value (B,) and its gradients in x, y, gamma, step weights
    warplens::soft_dtw_of_costs(C, ...)    -> value (B,) and its gradients in C, gamma, step weights

As in `autograd.saved_gradient` the gradients are computed in the forward pass and backward scales them; one
that is not wanted is an empty tensor. A step that is neither compiled nor transformed does without: one of
8 x 5 frames takes 0.6 ms forward and back through the operator, 0.3 ms through the `autograd.Function`.

Values are not looked at before an operator is called, so those that a backend refuses come this far. They
must give NaN or +inf in their own pair, as they do by themselves in torch operations.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar, cast

import torch
from torch import Tensor

from warplens._bands import Band, Itakura, SakoeChiba
from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.backends.protocol import Backend
from warplens.torch.dispatch import BACKENDS
from warplens.torch.inputs.batches import CostMatrices, Pairs, widest_dtype
from warplens.torch.inputs.masks import BatchShape
from warplens.torch.inputs.settings import LocalCost, RecursionSettings
from warplens.torch.inputs.torch_private import is_transformed

Outputs: TypeAlias = tuple[Tensor, ...]
"""Values and gradients; those that are not wanted are empty."""
_Batch = TypeVar("_Batch", Pairs, CostMatrices)


def is_needed() -> bool:
    """Return True while a step is compiled or transformed."""
    return torch.compiler.is_compiling() or is_transformed()


def values_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, pair_scale: Tensor | None, backend: Backend
) -> Tensor:
    """Return soft DTW (B,) float64 of a named cost times `pair_scale`."""
    inputs = (pairs.x, pairs.y, settings.gamma, settings.step_weights)
    arguments = (
        pairs.x,
        pairs.y,
        pairs.x_lengths,
        pairs.y_lengths,
        settings.gamma,
        settings.step_weights,
        cost.feature_weights,
        cost.pos_weight,
        cost.kind,
        *_constants(settings, backend, inputs),
    )
    return _values(arguments, pair_scale)


def values_of_costs(
    matrices: CostMatrices, settings: RecursionSettings, pair_scale: Tensor | None, backend: Backend
) -> Tensor:
    """Return soft DTW (B,) float64 of cost matrices times `pair_scale`."""
    inputs = (matrices.C, settings.gamma, settings.step_weights)
    arguments = (
        matrices.C,
        matrices.x_lengths,
        matrices.y_lengths,
        settings.gamma,
        settings.step_weights,
        *_constants(settings, backend, inputs),
    )
    return _values(arguments, pair_scale)


def _values(arguments: Sequence[Any], pair_scale: Tensor | None) -> Tensor:
    values = _call(arguments)[0]
    return values if pair_scale is None else values * pair_scale


def _call(arguments: Sequence[Any]) -> Outputs:
    call = _Transformed.apply if is_transformed() else _operator(arguments)
    return cast(Outputs, call(*arguments))


def _constants(
    settings: RecursionSettings, backend: Backend, inputs: Sequence[Tensor]
) -> tuple[str | None, float, str, list[bool]]:
    # Inside transforms a tensor does not tell whether an outer one differentiates it.
    asked = torch.is_grad_enabled()
    wanted = [asked and (is_transformed() or tensor.requires_grad) for tensor in inputs]
    kind, size = (None, 0.0) if settings.band is None else settings.band.as_core()
    return kind, size, backend.name, wanted


# Both operators take, in this order, the tensors that are differentiated and have a slice for each pair; the
# lengths; gamma and step weights; other inputs that all pairs share; constants, the last of which says for
# the first kind, gamma and step weights which gradients are wanted. So its length tells how many there are of
# the first kind.


def _operator(arguments: Sequence[Any]) -> Any:
    operators = torch.ops.warplens
    return operators.soft_dtw_of_pairs if len(arguments[-1]) == 4 else operators.soft_dtw_of_costs


# --- kernels: tensors with values ---------------------------------------------------------------------------


def solve_pairs(
    x: Tensor,
    y: Tensor,
    x_lengths: Tensor | None,
    y_lengths: Tensor | None,
    gamma: Tensor,
    step_weights: Tensor,
    feature_weights: Tensor | None,
    pos_weight: Tensor | None,
    cost: str,
    band: str | None,
    band_size: float,
    backend: str,
    wanted: Sequence[bool],
) -> Outputs:
    """Return values (B,), and the wanted gradients in x, y, gamma (B,) and step weights (B,3)."""
    local_cost = LocalCost(cost, feature_weights, pos_weight)

    def solve(pairs: Pairs, settings: RecursionSettings) -> Solution:
        return BACKENDS[backend].solve_pairs(pairs, local_cost, settings, wanted)

    pairs = Pairs(x, y, x_lengths, y_lengths, unbatched=False)
    settings = RecursionSettings(gamma, step_weights, _as_band(band, band_size))
    return _solve_any_values(solve, pairs, settings, BACKENDS[backend], wanted, x)


def solve_costs(
    C: Tensor,
    x_lengths: Tensor | None,
    y_lengths: Tensor | None,
    gamma: Tensor,
    step_weights: Tensor,
    band: str | None,
    band_size: float,
    backend: str,
    wanted: Sequence[bool],
) -> Outputs:
    """Return values (B,), and the wanted gradients in C, gamma (B,) and step weights (B,3)."""

    def solve(matrices: CostMatrices, settings: RecursionSettings) -> Solution:
        return BACKENDS[backend].solve_costs(matrices, settings, wanted)

    matrices = CostMatrices(C, x_lengths, y_lengths, unbatched=False)
    settings = RecursionSettings(gamma, step_weights, _as_band(band, band_size))
    return _solve_any_values(solve, matrices, settings, BACKENDS[backend], wanted, C)


def _as_band(kind: str | None, size: float) -> Band | None:
    if kind is None:
        return None
    return SakoeChiba(size) if kind == "sakoe_chiba" else Itakura(size)


def _solve_any_values(
    solve: Callable[[_Batch, RecursionSettings], Solution],
    batch: _Batch,
    settings: RecursionSettings,
    backend: Backend,
    wanted: Sequence[bool],
    like: Tensor,
) -> Outputs:
    """Solve a batch whatever its lengths and settings are: pairs with bad ones get +inf or NaN."""
    bad, proper = None, True
    if backend.refuses_bad_values:
        batch, bad = _with_lengths_in_range(batch)
        settings, proper = _with_numbers_in_range(settings)
    value, gradients = solve(batch, settings)
    outputs: list[Tensor] = [
        gradient if yes and gradient is not None else like.new_empty(0)
        for gradient, yes in zip(gradients, wanted, strict=True)
    ]
    if bad is not None:
        value[bad] = torch.inf
        for gradient in outputs:
            if gradient.numel():
                gradient[bad] = 0.0
    if not proper:
        for output in (value, *outputs):
            output.fill_(torch.nan)
    return value, *outputs


def _with_lengths_in_range(batch: _Batch) -> tuple[_Batch, Tensor | None]:
    """Return the batch with lengths in range, and which pairs had others; None: none had."""
    shape = BatchShape.of(batch)
    x_lengths, bad_x = _clamped(batch.x_lengths, shape.rows)
    y_lengths, bad_y = _clamped(batch.y_lengths, shape.columns)
    bad = bad_y if bad_x is None else (bad_x if bad_y is None else bad_x | bad_y)
    return replace(batch, x_lengths=x_lengths, y_lengths=y_lengths), bad


def _clamped(lengths: Tensor | None, longest: int) -> tuple[Tensor | None, Tensor | None]:
    if lengths is None:
        return None, None
    bad = (lengths < 1) | (lengths > longest)
    return (lengths.clamp(1, longest), bad) if bad.any() else (lengths, None)


def _with_numbers_in_range(settings: RecursionSettings) -> tuple[RecursionSettings, bool]:
    """Return settings in range, and True if they are the given ones."""
    numbers = (settings.gamma, settings.step_weights)
    if all(bool((number.isfinite() & (number >= 0)).all()) for number in numbers):
        return settings, True
    gamma, step_weights = (torch.ones_like(number) for number in numbers)
    return RecursionSettings(gamma, step_weights, settings.band), False


# --- shapes, derivatives and batches of the operators -------------------------------------------------------


def _fake(*arguments: Any) -> Outputs:
    """Return outputs without values."""
    wanted = arguments[-1]
    batched = arguments[: len(wanted) - 2]
    first, pairs = batched[0], batched[0].shape[0]
    exact = widest_dtype(first.device)
    shapes = [*((tensor.shape, tensor.dtype) for tensor in batched), ((pairs,), exact), ((pairs, 3), exact)]
    gradients = (
        first.new_empty(shape, dtype=dtype) if yes else first.new_empty(0)
        for (shape, dtype), yes in zip(shapes, wanted, strict=True)
    )
    return first.new_empty((pairs,), dtype=exact), *gradients


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Outputs) -> None:
    ctx.arguments, ctx.wanted = len(inputs), inputs[-1]
    sequences = len(ctx.wanted) - 2
    ctx.places = (*range(sequences), sequences + 2, sequences + 3)
    ctx.mark_non_differentiable(*output[1:])
    # Shared inputs may be changed in place before backward, as a schedule of gamma does; they are small.
    kept = (
        inputs[place] if place < sequences or yes else inputs[place].clone()
        for place, yes in zip(ctx.places, ctx.wanted, strict=True)
    )
    ctx.save_for_backward(*output[1:], *kept)


def _backward(ctx: Any, upstream: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    kinds = len(ctx.places)
    saved = ctx.saved_tensors
    gradients, inputs = saved[:kinds], saved[kinds:]
    results: list[Tensor | None] = [None] * ctx.arguments
    for place, gradient, tensor, yes in zip(ctx.places, gradients, inputs, ctx.wanted, strict=True):
        if not yes:
            continue
        factor = upstream.to(gradient.dtype)
        if place < kinds - 2:
            product = gradient * factor.view(-1, *[1] * (gradient.ndim - 1))
        else:
            product = torch.tensordot(factor, gradient, dims=1).to(tensor.device, tensor.dtype)
        # torch itself refuses to differentiate a compiled step twice.
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            product = cast(Tensor, _NoSecondDerivative.apply(product, *inputs))  # type: ignore[no-untyped-call]
        results[place] = product
    return tuple(results)


def _vmap(info: Any, dims: Sequence[int | None], *arguments: Any) -> tuple[Outputs, tuple[int | None, ...]]:
    """Compute K batches as one batch of K*B pairs, or in K calls where shared inputs differ, as K gammas."""
    K, per_pair = info.batch_size, len(arguments[-1])
    mapped = [isinstance(a, Tensor) and dim is not None for a, dim in zip(arguments, dims, strict=True)]
    in_front = [a.movedim(dim, 0) if yes else a for a, dim, yes in zip(arguments, dims, mapped, strict=True)]
    if any(mapped[per_pair:]):
        calls = [
            _call([a[k] if yes else a for a, yes in zip(in_front, mapped, strict=True)]) for k in range(K)
        ]
        return tuple(torch.stack(outputs) for outputs in zip(*calls, strict=True)), (0,) * (per_pair + 1)
    folded = [
        a if a is None else (a if yes else a.expand(K, *a.shape)).flatten(0, 1)
        for a, yes in zip(in_front[:per_pair], mapped[:per_pair], strict=True)
    ]
    outputs = _call([*folded, *in_front[per_pair:]])
    asked = (True, *arguments[-1])
    return (
        tuple(
            each.view(K, -1, *each.shape[1:]) if yes else each
            for each, yes in zip(outputs, asked, strict=True)
        ),
        tuple(0 if yes else None for yes in asked),
    )


class _Transformed(torch.autograd.Function):
    """Either operator inside a transform: the autograd of an operator itself stops at `torch.func`."""

    @staticmethod
    def forward(*arguments: Any) -> Outputs:
        return cast(Outputs, _operator(arguments)(*arguments))

    setup_context = staticmethod(_setup_context)
    backward = staticmethod(_backward)
    vmap = staticmethod(_vmap)


class _NoSecondDerivative(torch.autograd.Function):
    """A gradient as a function of its inputs whose backward raises, so that it is an error and not 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor, *inputs: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, ...]:
        raise RuntimeError(
            "soft DTW: torch.func gives first derivatives only; for second ones call "
            "torch.autograd.grad(..., create_graph=True) outside of its transforms"
        )


def _define(name: str, sequences: str, rest: str, kernel: Callable[..., Outputs]) -> None:
    count = sequences.count("Tensor") + 3
    torch.library.define(
        name,
        f"({sequences}, Tensor? x_lengths, Tensor? y_lengths, Tensor gamma, Tensor step_weights, {rest}"
        f"str? band, float band_size, str backend, bool[] wanted) -> ({', '.join(['Tensor'] * count)})",
    )
    torch.library.impl(name, "default", kernel)
    torch.library.register_fake(name, _fake)
    torch.library.register_autograd(name, _backward, setup_context=_setup_context)
    torch.library.register_vmap(name, _vmap)


_define(
    "warplens::soft_dtw_of_pairs",
    "Tensor x, Tensor y",
    "Tensor? feature_weights, Tensor? pos_weight, str cost, ",
    solve_pairs,
)
_define("warplens::soft_dtw_of_costs", "Tensor C", "", solve_costs)
