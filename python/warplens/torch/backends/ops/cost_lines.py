"""Costs of padded pairs a few lines at a time, and gradients of the sequences from soft alignments.

The cost matrix is never held as a whole. The frames of the longer side are mapped once to the terms of their
costs, those of the shorter side as their lines come; a block of lines is then one matrix product,

    C = b(long) + b(short) - <v(long), v(short)>,      dSDTW/db = sum H,      dSDTW/dv(long) = -H v(short),

and these gradients are taken back through the map of the frames by autograd.
"""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from warplens._bands import Band
from warplens.torch.backends.costs import (
    SQUARED_COSTS,
    Mapped,
    common_mean,
    costs_between,
    distance,
    is_distance,
    map_frames,
)
from warplens.torch.backends.ops.grid import Grid
from warplens.torch.inputs.batches import Pairs, replace_padding, values_are_readable
from warplens.torch.inputs.masks import BatchShape
from warplens.torch.inputs.settings import LocalCost
from warplens.torch.inputs.torch_private import recorded_by_autograd

_PARTS = 8  # in which gradients of the longer side go back, so that no second copy of it is needed


class CostLines:
    """The costs of a batch under a named cost, and the gradients in x and y.

    Args:
        pairs: the batch.
        cost: by name and without a prior.
        wanted: for x and for y, whether its gradient is wanted.
    """

    def __init__(self, pairs: Pairs, cost: LocalCost, wanted: Sequence[bool]) -> None:
        self._shape = BatchShape.of(pairs)
        self._cost = cost
        self._wanted = wanted
        self._frames = pairs.x.detach(), pairs.y.detach()
        self._lengths = pairs.x_lengths, pairs.y_lengths
        self._mean = common_mean(pairs) if cost.kind in SQUARED_COSTS else None
        self._short = 1 if self._shape.rows >= self._shape.columns else 0
        self._long = 1 - self._short
        with torch.no_grad():
            everything = slice(0, self._frames[self._long].shape[1])
            self._mapped = self._map(self._long, everything, self._frames[self._long])
        self._of_short_frames = _empty_like(self._frames[self._short]) if wanted[self._short] else None
        self._of_long: Mapped | None = None
        if wanted[self._long]:
            self._of_long = Mapped(
                torch.zeros_like(self._mapped.bias), torch.zeros_like(self._mapped.vectors)
            )

    def grid(self, band: Band | None) -> Grid:
        """Return the costs as the recursion reads them."""
        return Grid(self._shape, band, self._costs, has_gaps=self._has_impossible_classes())

    def receive(self, lines: slice, H: Tensor, E: Tensor) -> None:
        """Take the soft alignment (K,B,L) of some lines."""
        H = H.transpose(0, 1)  # (B,K,L)
        frames = self._frames[self._short][:, lines].requires_grad_(self._wanted[self._short])
        with recorded_by_autograd() if frames.requires_grad else nullcontext():
            short = self._map(self._short, lines, frames)
        of_short = self._receive_distances(short, H) if is_distance(self._cost) else self._receive(short, H)
        if self._of_short_frames is not None and of_short is not None:
            self._of_short_frames[:, lines] = _gradient_of_frames(short, of_short, frames)

    def gradients(self) -> list[Tensor | None]:
        """Return gradients in x and y, in their dtypes; to be called once, after all lines were received."""
        gradients: list[Tensor | None] = [None, None]
        gradients[self._short] = self._of_short_frames
        if self._of_long is not None:
            del self._mapped
            gradients[self._long] = self._gradient_of_long(self._of_long)
        return gradients

    def _gradient_of_long(self, of_long: Mapped) -> Tensor:
        gradient = _empty_like(self._frames[self._long])
        length = gradient.shape[1]
        step = -(-length // _PARTS)
        for start in range(0, length, step):
            part = slice(start, min(start + step, length))
            frames = self._frames[self._long][:, part].requires_grad_()
            with recorded_by_autograd():
                mapped = self._map(self._long, part, frames)
            of_part = Mapped(of_long.bias[:, part], of_long.vectors[:, part])
            gradient[:, part] = _gradient_of_frames(mapped, of_part, frames)
        return gradient

    def _has_impossible_classes(self) -> bool:
        """Return True if logits of -inf are seen, whose cells may cost +inf.

        Where values cannot be read, such a cell gives NaN or +inf in its pair instead.
        """
        x = self._frames[0]
        if self._cost.kind != "ce_logits" or not values_are_readable(x):
            return False
        return bool(replace_padding(x, self._lengths[0]).isneginf().any())

    def _costs(self, lines: slice) -> Tensor:
        """Return costs (K,B,L) float64; where a side is padded, finite whenever its pair is."""
        short = self._map(self._short, lines, self._frames[self._short][:, lines])
        return costs_between(short, self._mapped, self._cost).transpose(0, 1)

    def _map(self, side: int, part: slice, frames: Tensor) -> Mapped:
        """Map the frames (B,T,D) that are this part of a side, in float64."""
        first = self._frames[side][:, :1]
        frames = replace_padding(frames, self._lengths[side], start=part.start, first=first)
        frames = frames.to(torch.float64)
        return map_frames(side, frames if self._mean is None else frames - self._mean, self._cost)

    def _receive(self, short: Mapped, H: Tensor) -> Mapped | None:
        """Add to the gradient in the mapped longer side; return that in the mapped lines, if wanted."""
        if self._of_long is not None:
            self._of_long.bias.add_(H.sum(1))
            self._of_long.vectors.baddbmm_(H.mT, short.vectors.detach(), alpha=-1.0)
        return Mapped(H.sum(2), -(H @ self._mapped.vectors)) if self._wanted[self._short] else None

    def _receive_distances(self, short: Mapped, H: Tensor) -> Mapped:
        """Do the same by way of autograd."""
        lines, longer = (mapped.vectors.detach().requires_grad_() for mapped in (short, self._mapped))
        with recorded_by_autograd():
            C = distance(lines, longer, self._cost)
        of_lines, of_longer = torch.autograd.grad(C, (lines, longer), H)
        if self._of_long is not None:
            self._of_long.vectors.add_(of_longer)
        return Mapped(torch.zeros_like(short.bias), of_lines)


def _empty_like(frames: Tensor) -> Tensor:
    return torch.empty_like(frames, memory_format=torch.contiguous_format)


def _gradient_of_frames(mapped: Mapped, gradient: Mapped, frames: Tensor) -> Tensor:
    """Return the gradient in frames, given that in their mapped ones."""
    terms = ((mapped.bias, gradient.bias), (mapped.vectors, gradient.vectors))
    ways = [(z, of_z) for z, of_z in terms if z.requires_grad]
    outputs, upstream = zip(*ways, strict=True)
    (result,) = torch.autograd.grad(outputs, frames, upstream)
    return result
