"""Costs of inner-product form for the Triton sweeps: products of factors, a segment of lines at a time.

The biases join the features, so that one batched product gives the costs and one more each gradient:

    C = F G^T,   F(n) = [-v(x_n), u(x_n), 1],   G(m) = [w(y_m), 1, phi(y_m)],   dL/dF = H G,   dL/dG = H^T F

in float64, which costs a data-centre GPU nothing: its tensor cores multiply float64 as fast as other cores do
float32. Only these two factors (B,N,D+2) and (B,M,D+2) and the gradient in the longer one are there at once.
That in the shorter takes the place of its factor, line by line, for a line is not read again once its
alignment is known. The maps from frames to factors run over chunks of frames, and so do their derivatives.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from warplens.torch.backends.costs import SQUARED_COSTS, common_mean, map_predictions, map_targets
from warplens.torch.backends.triton.costs import LineLayout
from warplens.torch.inputs.batches import Pairs, replace_padding
from warplens.torch.inputs.settings import LocalCost
from warplens.torch.inputs.torch_private import recorded_by_autograd

_CHUNK_BYTES = 2**21  # of float64 frames, which a chunk may always take
_MOST_CHUNKS = 8  # else large batches would take thousands of small operations


@dataclass(frozen=True)
class _FactoredSide:
    """The frames of one side, and their map to factors."""

    frames: Tensor  # (B,T,D)
    lengths: Tensor  # (B,) int64
    shift: Tensor | None  # (B,1,D)
    factors: Callable[[Tensor], Tensor]  # (B,t,D) float64 -> (B,t,D+2)

    def chunks(self) -> Iterator[slice]:
        """Yield the frames in chunks."""
        batch, length, features = self.frames.shape
        step = max(-(-length // _MOST_CHUNKS), _CHUNK_BYTES // (8 * batch * features))
        for start in range(0, length, step):
            yield slice(start, min(start + step, length))

    def mapped(self, chunk: slice, frames: Tensor) -> Tensor:
        """Return the factors of the frames of a chunk."""
        frames = replace_padding(frames, self.lengths, start=chunk.start, first=self.frames[:, :1])
        frames = frames.to(torch.float64)
        return self.factors(frames if self.shift is None else frames - self.shift)

    def all_factors(self) -> Tensor:
        """Return all factors (B,T,D+2) float64."""
        batch, length, features = self.frames.shape
        factors = self.frames.new_empty((batch, length, features + 2), dtype=torch.float64)
        for chunk in self.chunks():
            factors[:, chunk] = self.mapped(chunk, self.frames[:, chunk])
        return factors

    def gradient(self, of_factors: Tensor) -> Tensor:
        """Return the gradient in the frames (B,T,D), in their dtype, given that in the factors."""
        gradient = torch.empty_like(self.frames, memory_format=torch.contiguous_format)
        for chunk in self.chunks():
            with recorded_by_autograd():
                frames = self.frames[:, chunk].detach().requires_grad_()
                factors = self.mapped(chunk, frames)
                (gradient[:, chunk],) = torch.autograd.grad(factors, frames, of_factors[:, chunk])
        return gradient


class FactoredCosts:
    """Costs of inner-product form between the sequences of a batch."""

    def __init__(
        self, pairs: Pairs, cost: LocalCost, layout: LineLayout, *, x_grad: bool, y_grad: bool
    ) -> None:
        self._layout = layout
        pairs = replace(pairs, x=pairs.x.detach(), y=pairs.y.detach())
        shift = common_mean(pairs) if cost.kind in SQUARED_COSTS else None

        def of_predictions(x: Tensor) -> Tensor:
            u, v, impossible = map_predictions(x, cost)
            if impossible is not None:  # no product of factors tells these cells: NaN
                v = v.masked_fill(impossible != 0.0, -torch.inf)
            return torch.cat([-v, u.unsqueeze(2), torch.ones_like(u).unsqueeze(2)], dim=2)

        def of_targets(y: Tensor) -> Tensor:
            phi, w, _ = map_targets(y, cost)
            return torch.cat([w, torch.ones_like(phi).unsqueeze(2), phi.unsqueeze(2)], dim=2)

        x = _FactoredSide(pairs.x, layout.N, shift, of_predictions)
        y = _FactoredSide(pairs.y, layout.M, shift, of_targets)
        self._long_side, self._short_side = (x, y) if layout.long_is_x else (y, x)
        long_grad, self._short_grad = (x_grad, y_grad) if layout.long_is_x else (y_grad, x_grad)
        self._long = self._long_side.all_factors()
        self._short = self._short_side.all_factors()
        self._of_long = torch.zeros_like(self._long) if long_grad else None

    def write(self, first: int, C: Tensor) -> None:
        """Compute the costs of some lines."""
        torch.bmm(self._short[:, first : first + C.shape[1]], self._long.mT, out=C)
        self._layout.forbid(first, C)

    def collect(self, first: int, H: Tensor, E: Tensor | None) -> None:
        """Add to the gradient in the longer side and finish that of some lines."""
        lines = self._short[:, first : first + H.shape[1]]
        if self._of_long is not None:
            self._of_long.baddbmm_(H.mT, lines)
        if self._short_grad:
            lines.copy_(torch.bmm(H, self._long))

    def gradients(self) -> tuple[Tensor | None, Tensor | None]:
        """Return the wanted gradients in x and y; to be called once, after all lines were collected."""
        of_long, of_short = self._of_long, self._short if self._short_grad else None
        del self._long, self._short, self._of_long
        long = None if of_long is None else self._long_side.gradient(of_long)
        del of_long
        short = None if of_short is None else self._short_side.gradient(of_short)
        return (long, short) if self._layout.long_is_x else (short, long)


def bytes_of_factors(batch: int, lines: int, length: int, features: int) -> int:
    """Return the memory of the factors and of the gradient in the longer ones."""
    return 8 * batch * (lines + 2 * length) * (features + 2)
