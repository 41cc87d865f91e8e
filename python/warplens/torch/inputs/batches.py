"""Padded batches of sequences or cost matrices: checked, and brought to one dtype.

Shapes and Python numbers are always checked. Values of tensors are read on the CPU in eager mode only:
reading them elsewhere would wait for the device, so there a bad value gives NaN or +inf in its own pair.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from warplens._sequences import check_range, has_range
from warplens.torch.inputs.torch_private import is_transformed

Lengths: TypeAlias = Tensor | Sequence[int] | int
"""(B,) ints, or one int for an unbatched pair."""

# Half the address space leaves room for a few bytes a cell.
_MOST_CELLS = 2**63 // 64

_DTYPES = frozenset(
    {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool}
    | {torch.int8, torch.int16, torch.int32, torch.int64}
    | {torch.uint8, torch.uint16, torch.uint32, torch.uint64}
)
"""Those of numbers that a loss can be of; eight-bit floats are too coarse, and mostly lack operations."""


@dataclass(frozen=True)
class Pairs:
    """Sequences x (B,N,D) and y (B,M,D) of the dtype that results have."""

    x: Tensor
    y: Tensor
    x_lengths: Tensor | None  # (B,) int64 on the device of x; None where nothing is padded
    y_lengths: Tensor | None
    unbatched: bool


@dataclass(frozen=True)
class CostMatrices:
    """Cost matrices C (B,N,M) of the dtype that results have."""

    C: Tensor
    x_lengths: Tensor | None  # (B,) int64 on the device of C; None where nothing is padded
    y_lengths: Tensor | None
    unbatched: bool


def values_are_readable(tensor: Tensor) -> bool:
    """Return True if values can be read without waiting for a device or breaking a compiled graph."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling() and not is_transformed()


def inside(frames: Tensor, lengths: Tensor, start: int = 0) -> Tensor:
    """Return (B,T), True where a frame belongs to its sequence; the first one has the index `start`."""
    return torch.arange(start, start + frames.shape[1], device=frames.device) < lengths[:, None]


def replace_padding(
    frames: Tensor, lengths: Tensor | None, *, start: int = 0, first: Tensor | None = None
) -> Tensor:
    """Replace padding by the first frame of its sequence, a constant to autograd.

    A frame of the same sequence puts nothing into the formula of a cost that it does not meet anyway.

    Args:
        frames: (B,T,D), all frames of a batch or T of them.
        lengths: (B,) int64; None where nothing is padded.
        start: index of the first of these frames.
        first: (B,1,D) the first frame of each sequence; None where `frames` begins with it.
    """
    if lengths is None:
        return frames
    first = frames[:, :1] if first is None else first
    return torch.where(inside(frames, lengths, start).unsqueeze(2), frames, first.detach())


def lengths_or_all(lengths: Tensor | None, frames: Tensor) -> Tensor:
    """Return lengths (B,) int64, all frames where none were given."""
    if lengths is not None:
        return lengths
    return torch.full(frames.shape[:1], frames.shape[1], device=frames.device)


def promoted(one: torch.dtype, other: torch.dtype) -> torch.dtype:
    """Return `torch.promote_types`, which knows no unsigned integers above 8 bits."""
    if one.is_floating_point and other.is_floating_point:
        return torch.promote_types(one, other)
    return one if one.is_floating_point else other


def dtype_of_loss(*inputs: Tensor) -> torch.dtype:
    """Return the dtype of a loss: that of its inputs, which autocast widens, as in the losses of PyTorch."""
    dtype = inputs[0].dtype
    for tensor in inputs[1:]:
        dtype = promoted(dtype, tensor.dtype)
    computed, device = dtype_of_results(dtype), inputs[0].device.type
    if not dtype.is_floating_point or computed == dtype:
        return computed
    widened = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return computed if widened else dtype


def as_pairs(x: Tensor, y: Tensor, x_lengths: Lengths | None, y_lengths: Lengths | None) -> Pairs:
    """Check two sequences, or two batches of them."""
    accepted = "(batch, frames, features) or (frames, features) is accepted; a series is series[:, None]"
    for name, tensor in (("x", x), ("y", y)):
        check_tensor(name, tensor, accepted)
    given = x, y
    if x.ndim != y.ndim:
        raise ValueError(f"x, y: {_shapes(*given)}; both or neither have a batch axis")
    if x.device != y.device:
        raise ValueError(f"x, y: x is on {x.device}, y on {y.device}; one device is accepted")
    unbatched = x.ndim == 2
    if unbatched:
        x, y = x.unsqueeze(0), y.unsqueeze(0)
    (pairs, N, D), (pairs_of_y, M, D_of_y) = x.shape, y.shape
    if pairs != pairs_of_y or pairs == 0:
        raise ValueError(f"x, y: {_shapes(*given)}; the same number of pairs, at least one, is accepted")
    if D != D_of_y or D == 0:
        raise ValueError(f"x, y: {_shapes(*given)}; the same number of features, at least one, is accepted")
    if 0 in (N, M):
        name, shapes = "x" if N == 0 else "y", _shapes(*given)
        raise ValueError(f"{name}: is an empty sequence ({shapes}); at least one frame is needed")
    if N * M >= _MOST_CELLS:
        raise _too_many_cells(N, M, _shapes(*given))
    dtype = dtype_of_results(x.dtype if x.dtype == y.dtype else promoted(x.dtype, y.dtype))
    return Pairs(
        as_dtype(x, dtype),
        as_dtype(y, dtype),
        as_lengths("x_lengths", x_lengths, x, unbatched),
        as_lengths("y_lengths", y_lengths, y, unbatched),
        unbatched,
    )


def as_cost_matrices(C: Tensor, x_lengths: Lengths | None, y_lengths: Lengths | None) -> CostMatrices:
    """Check one or a batch of cost matrices; NaN passes, into its own pair."""
    check_tensor("C", C, "(B, N, M) or (N, M) is accepted")
    if 0 in C.shape:
        raise ValueError(f"C: has shape {tuple(C.shape)}; at least one pair, row and column are needed")
    unbatched = C.ndim == 2
    if unbatched:
        C = C.unsqueeze(0)
    if C.shape[1] * C.shape[2] >= _MOST_CELLS:
        raise _too_many_cells(C.shape[1], C.shape[2], f"C has shape {tuple(C.shape)}")
    matrices = CostMatrices(
        as_dtype(C, dtype_of_results(C.dtype)),
        as_lengths("x_lengths", x_lengths, C, unbatched),
        as_lengths("y_lengths", y_lengths, C.mT, unbatched),
        unbatched,
    )
    if values_are_readable(C):
        for name, pair in _parts("C", matrices.C, matrices.x_lengths, unbatched, matrices.y_lengths):
            bad = pair == -math.inf
            if bad.any():
                index = tuple(bad.nonzero()[0].tolist())
                raise ValueError(
                    f"{name}: is -inf at index {index}; costs are finite, or +inf to forbid a cell"
                )
    return matrices


def check_values(pairs: Pairs, cost: object) -> None:
    """Check that values are in the range of the cost, where they can be read; NaN passes."""
    if not isinstance(cost, str) or not (has_range(cost, 0) or has_range(cost, 1)):
        return
    if not values_are_readable(pairs.x):
        return
    sides = (("x", pairs.x, pairs.x_lengths), ("y", pairs.y, pairs.y_lengths))
    for side, (name, frames, lengths) in enumerate(sides):
        check_range_of(name, frames, lengths, cost, side, unbatched=pairs.unbatched)


def check_range_of(
    name: str, frames: Tensor, lengths: Tensor | None, cost: str, side: int, *, unbatched: bool = False
) -> None:
    """Check the values of the sequences of one side of the cost: x (0) or y (1)."""
    if not has_range(cost, side):
        return
    frames = as_dtype(frames.detach(), dtype_of_results(frames.dtype))  # NumPy has no bfloat16
    try:
        check_range(name, frames.numpy(), cost, side)
    except ValueError:  # perhaps it is only the padding; else say which sequence it is
        for part, sequence in _parts(name, frames, lengths, unbatched):
            check_range(part, sequence.numpy(), cost, side)


def _parts(
    name: str, batch: Tensor, rows: Tensor | None, unbatched: bool, columns: Tensor | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Yield the name of each pair in messages, and its own part of a batch on the CPU."""
    all_rows = [batch.shape[1]] * len(batch) if rows is None else rows.tolist()
    all_columns = [batch.shape[2]] * len(batch) if columns is None else columns.tolist()
    for index, (part, row, column) in enumerate(zip(batch.detach(), all_rows, all_columns, strict=True)):
        yield name if unbatched else f"{name}[{index}]", part[:row, :column]


def check_tensor(name: str, tensor: object, accepted: str, dimensions: Sequence[int] = (2, 3)) -> None:
    """Check that it is a tensor of real numbers with so many dimensions."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: is a {type(tensor).__name__}; a torch.Tensor is accepted")
    if tensor.is_nested:
        raise TypeError(f"{name}: is a nested tensor; one padded tensor and lengths are accepted")
    if tensor.layout != torch.strided:
        raise TypeError(f"{name}: has layout {tensor.layout}; a dense tensor is accepted: {name}.to_dense()")
    if tensor.is_quantized:
        raise TypeError(f"{name}: is quantized; real numbers are accepted: {name}.dequantize()")
    if tensor.dtype not in _DTYPES:
        raise TypeError(
            f"{name}: has dtype {tensor.dtype}; real numbers are accepted: integers, booleans, float16, "
            "bfloat16, float32 and float64"
        )
    if tensor.ndim not in dimensions:
        raise ValueError(f"{name}: has shape {tuple(tensor.shape)}; {accepted}")


def _shapes(x: Tensor, y: Tensor) -> str:
    return f"x has shape {tuple(x.shape)}, y {tuple(y.shape)}"


def _too_many_cells(rows: int, columns: int, shapes: str) -> ValueError:
    return ValueError(f"N*M = {rows}*{columns} cells overflow ({shapes}); shorten the sequences")


def dtype_of_results(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype that inputs of a dtype are computed in: float64 or float32."""
    if not dtype.is_floating_point:
        dtype = torch.get_default_dtype()
    return torch.float64 if dtype == torch.float64 else torch.float32


def as_dtype(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the tensor in a dtype: `tensor.to(dtype)`, which takes ten times as long to return itself."""
    # Compiled, the call stays: a transform's own argument cannot be saved for backward there, its `to` can.
    if torch.compiler.is_compiling():
        return tensor.to(dtype)
    if tensor.is_neg():  # the imaginary part of a conjugate, which NumPy cannot read
        tensor = tensor.resolve_neg()
    return tensor if tensor.dtype == dtype else tensor.to(dtype)


def widest_dtype(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on a device that has no float64 (MPS)."""
    return torch.float32 if device.type == "mps" else torch.float64


def one_int_each(name: str, lengths: Lengths, count: int, what: str, unbatched: bool) -> Tensor:
    """Check for one integer for each of so many pairs or items: (count,), values and device as they are."""
    accepted = "one int is accepted" if unbatched else f"one int for each of {count} {what} is accepted"
    if not isinstance(lengths, Tensor):
        try:
            lengths = torch.as_tensor(lengths)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(f"{name}: is {lengths!r}; {accepted}") from None
    if lengths.dtype == torch.bool or lengths.is_floating_point() or lengths.is_complex():
        raise TypeError(f"{name}: has dtype {lengths.dtype}; {accepted}")
    if unbatched and lengths.ndim == 0:
        lengths = lengths.unsqueeze(0)
    if lengths.shape != (count,):
        raise ValueError(f"{name}: has shape {tuple(lengths.shape)}; {accepted}")
    return lengths


def as_lengths(name: str, lengths: Lengths | None, frames: Tensor, unbatched: bool) -> Tensor | None:
    """Check lengths of padded sequences: (B,) int64 on their device."""
    if lengths is None:
        return None
    batch, longest = frames.shape[:2]
    lengths = one_int_each(name, lengths, batch, "pairs", unbatched)
    if values_are_readable(lengths):
        for index, length in enumerate(lengths.tolist()):
            if not 1 <= length <= longest:
                raise ValueError(
                    f"{name}: entry {index} is {length}; a length is from 1 to {longest}, the padded length"
                )
    return lengths.to(device=frames.device, dtype=torch.int64, non_blocking=True)
