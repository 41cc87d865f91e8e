"""The loss as operators of `torch.library`, for what looks into a step instead of running it.

`torch.compile` and the transforms of `torch.func` see neither into the Rust core nor into an
`autograd.Function` that closes over its batch. They meet two operators instead
(`warplens.torch.operator_kernels` computes them):

    warplens::soft_dtw_of_pairs(x, y, ...) -> value (B,) and its gradients in x, y, gamma, step weights
    warplens::soft_dtw_of_costs(C, ...)    -> value (B,) and its gradients in C, gamma, step weights

As in `autograd.saved_gradient` the gradients are ready in the forward pass and backward scales them;
one that is not wanted is an empty tensor. A step that is neither compiled nor transformed does without: one
of 8 x 5 frames takes 0.6 ms forward and back through the operator, 0.3 ms through the `autograd.Function`.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor

from warplens.torch.inputs.batches import CostMatrices, Pairs, is_transformed
from warplens.torch.inputs.settings import Backend, LocalCost, RecursionSettings
from warplens.torch.operator_kernels import solve_costs, solve_pairs

Results: TypeAlias = tuple[Tensor, ...]


def is_needed() -> bool:
    """Whether the step is being compiled or transformed."""
    return torch.compiler.is_compiling() or is_transformed()


def values_of_pairs(
    pairs: Pairs, cost: LocalCost, settings: RecursionSettings, shares: Tensor | None, backend: Backend
) -> Tensor:
    """Soft DTW (B,) float64 of a named cost times `shares`."""
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
    return _values(arguments, shares)


def values_of_costs(
    matrices: CostMatrices, settings: RecursionSettings, shares: Tensor | None, backend: Backend
) -> Tensor:
    """Soft DTW (B,) float64 of cost matrices times `shares`."""
    inputs = (matrices.C, settings.gamma, settings.step_weights)
    arguments = (
        matrices.C,
        matrices.x_lengths,
        matrices.y_lengths,
        settings.gamma,
        settings.step_weights,
        *_constants(settings, backend, inputs),
    )
    return _values(arguments, shares)


def _values(arguments: Sequence[Any], shares: Tensor | None) -> Tensor:
    values = _call(arguments)[0]
    return values if shares is None else values * shares


def _call(arguments: Sequence[Any]) -> Results:
    call = _Transformed.apply if is_transformed() else _operator(arguments)
    return cast(Results, call(*arguments))


def _constants(
    settings: RecursionSettings, backend: Backend, inputs: Sequence[Tensor]
) -> tuple[str | None, float, str, list[bool]]:
    # Inside transforms a tensor does not tell whether an outer one differentiates it.
    asked = torch.is_grad_enabled()
    wanted = [asked and (is_transformed() or tensor.requires_grad) for tensor in inputs]
    kind, size = (None, 0.0) if settings.band is None else settings.band.as_core()
    return kind, size, backend, wanted


# Both operators take, in this order, the tensors that are differentiated and have a slice for each pair; the
# lengths; gamma and step weights; what else all pairs share; constants, of which the last says for the first
# kind, gamma and step weights what is wanted. So the last tells how many there are of the first kind.


def _operator(arguments: Sequence[Any]) -> Any:
    operators = torch.ops.warplens
    return operators.soft_dtw_of_pairs if len(arguments[-1]) == 4 else operators.soft_dtw_of_costs


def _fake(*arguments: Any) -> Results:
    """The results without values."""
    wanted = arguments[-1]
    batched = arguments[: len(wanted) - 2]
    first, pairs = batched[0], batched[0].shape[0]
    exact = torch.float32 if first.device.type == "mps" else torch.float64
    shapes = [*((tensor.shape, tensor.dtype) for tensor in batched), ((pairs,), exact), ((pairs, 3), exact)]
    gradients = (
        first.new_empty(shape, dtype=dtype) if yes else first.new_empty(0)
        for (shape, dtype), yes in zip(shapes, wanted, strict=True)
    )
    return first.new_empty((pairs,), dtype=exact), *gradients


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Results) -> None:
    ctx.arguments, ctx.wanted = len(inputs), inputs[-1]
    sequences = len(ctx.wanted) - 2
    ctx.places = (*range(sequences), sequences + 2, sequences + 3)
    ctx.mark_non_differentiable(*output[1:])
    # What is shared may be changed in place before backward, as a schedule of gamma does; it is small.
    kept = (
        inputs[place] if place < sequences or yes else inputs[place].clone()
        for place, yes in zip(ctx.places, ctx.wanted, strict=True)
    )
    ctx.save_for_backward(*output[1:], *kept)


def _backward(ctx: Any, upstream: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    kinds = len(ctx.places)
    saved = ctx.saved_tensors
    gradients, inputs = saved[:kinds], saved[kinds:]
    scaled: list[Tensor | None] = [None] * ctx.arguments
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
            product = cast(Tensor, _Once.apply(product, *inputs))  # type: ignore[no-untyped-call]
        scaled[place] = product
    return tuple(scaled)


def _vmap(info: Any, dims: Sequence[int | None], *arguments: Any) -> tuple[Results, tuple[int | None, ...]]:
    """K batches are one batch of K*B pairs; with K gammas, or what else pairs share, they are K calls."""
    K, per_pair = info.batch_size, len(arguments[-1])
    mapped = [isinstance(a, Tensor) and dim is not None for a, dim in zip(arguments, dims, strict=True)]
    in_front = [a.movedim(dim, 0) if yes else a for a, dim, yes in zip(arguments, dims, mapped, strict=True)]
    if any(mapped[per_pair:]):
        calls = [
            _call([a[k] if yes else a for a, yes in zip(in_front, mapped, strict=True)]) for k in range(K)
        ]
        return tuple(torch.stack(results) for results in zip(*calls, strict=True)), (0,) * (per_pair + 1)
    folded = [
        a if a is None else (a if yes else a.expand(K, *a.shape)).flatten(0, 1)
        for a, yes in zip(in_front[:per_pair], mapped[:per_pair], strict=True)
    ]
    results = _call([*folded, *in_front[per_pair:]])
    asked = (True, *arguments[-1])
    return (
        tuple(r.view(K, -1, *r.shape[1:]) if yes else r for r, yes in zip(results, asked, strict=True)),
        tuple(0 if yes else None for yes in asked),
    )


class _Transformed(torch.autograd.Function):
    """Either operator inside a transform: the autograd of an operator itself stops at `torch.func`."""

    @staticmethod
    def forward(*arguments: Any) -> Results:
        return cast(Results, _operator(arguments)(*arguments))

    setup_context = staticmethod(_setup_context)
    backward = staticmethod(_backward)
    vmap = staticmethod(_vmap)


class _Once(torch.autograd.Function):
    """A gradient that knows what it is of, so that differentiating it again is an error and not 0."""

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


def _define(name: str, sequences: str, rest: str, kernel: Callable[..., Results]) -> None:
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
