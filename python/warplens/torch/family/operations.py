"""The general model in torch operations: one line of them an anti-diagonal, on any device.

Every step advances n + m by at least 1, so the cells of an anti-diagonal k = n + m depend on earlier ones
alone. With a(n,m) = -D(n,m) / gamma each takes

    a(n,m) = log( exp(-entry(n,m)) + sum over steps s of exp(a(n-i_s, m-j_s) - charge_s(n,m)) )

where entry = (e + w_0 C) / gamma and charge_s = (b_s + w_s C) / gamma; in the hard limit gamma is 1 here and
the sum a maximum. Autograd differentiates it as often as it likes. What is forbidden costs a finite number
that nothing comes near, so no infinity and no NaN comes of it, in any derivative.

Lines are laid along the shorter axis. A matrix (R,L) becomes K = R + L - 1 lines by padding its rows to L + R
and cutting the same numbers anew into rows of K: row n then lies n places to the right.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.backends.ops.softmin import LEAST_GAMMA, is_proper
from warplens.torch.family.model import BatchModel, Ends, corners
from warplens.torch.inputs.batches import CostMatrices, widest_dtype
from warplens.torch.inputs.masks import BatchShape, allowed_matrix
from warplens.torch.inputs.torch_private import recorded_by_autograd


def values(matrices: CostMatrices, model: BatchModel) -> Tensor:
    """Return the values (B,), +inf without a path, differentiable in C and in all tensors of the model.

    Costs of NaN or -inf make NaN of their pair. Gamma may be () or (B,).
    """
    shape = BatchShape.of(matrices)
    C = matrices.C.to(widest_dtype(shape.device))
    within = allowed_matrix(shape, None)
    no_cost = C.isnan() | (C == -torch.inf)
    allowed = C != torch.inf
    if within is not None:
        no_cost, allowed = no_cost & within, allowed & within
    C = torch.where(allowed & ~no_cost, C, 0.0)
    found = _Sweep.of(C, allowed, shape, model).values()
    # Also where the bad cost lies off every path.
    return torch.where(no_cost.flatten(1).any(1), torch.nan, found)


def solve(matrices: CostMatrices, model: BatchModel, wanted: Sequence[bool]) -> Solution:
    """Return values (B,), and the wanted gradients in C and in the tensors of the model, for each pair."""
    inputs = [matrices.C, *model.tensors()]
    if not any(wanted):
        with torch.no_grad():
            return Solution(values(matrices, model), [None] * len(inputs))
    with recorded_by_autograd():
        C, *of_model = (_for_each_pair(tensor, len(matrices.C)) for tensor in inputs)
        found = values(replace(matrices, C=C), model.with_tensors(of_model))
        gradients = iter(_gradients(found, [t for t, yes in zip((C, *of_model), wanted, strict=True) if yes]))
    gradient: list[Tensor | None] = [next(gradients) if yes else None for yes in wanted]
    # They are multiplied in place.
    gradient = [tensor if tensor is None else tensor.contiguous() for tensor in gradient]
    bad = found.detach().isnan()
    for tensor in gradient:
        if tensor is not None:
            tensor.masked_fill_(bad.to(tensor.device).view(-1, *[1] * (tensor.ndim - 1)), torch.nan)
    within = allowed_matrix(BatchShape.of(matrices), None)
    if gradient[0] is not None and within is not None:
        gradient[0].masked_fill_(~within, 0.0)
    return Solution(found.detach(), gradient)


def results(matrices: CostMatrices, model: BatchModel, names: Sequence[str]) -> dict[str, Tensor]:
    """Return `value` and the named ones of H, h, E, visits, entropy, step_posteriors, begin and end.

    They are padded with zeros and have no graph.
    """
    shape = BatchShape.of(matrices)
    exact = widest_dtype(shape.device)
    size = (shape.batch, shape.rows, shape.columns)
    of_cells = not _OF_CELLS.isdisjoint(names)
    # Tensors of the inference mode cannot be recorded, their copies can.
    with torch.inference_mode(False), recorded_by_autograd():
        asked = model.with_tensors([tensor.detach().clone() for tensor in model.tensors()])
        C = matrices.C.detach().to(exact).clone().requires_grad_()
        softness = asked.gamma.to(shape.device, exact, non_blocking=True)
        gamma = softness.expand(shape.batch).clone().requires_grad_()
        asked = replace(asked, gamma=gamma)
        leaves: list[Tensor] = []
        if of_cells:
            # A cost for each cell: the gradient in it is the use of its step there.
            asked, leaves = _with_costs_of_cells(asked, shape, exact)
        found = values(replace(matrices, C=C), asked)
        H, gamma_grad, *uses = _gradients(found, [C, gamma, *leaves])
    bad = found.detach().isnan()
    within = allowed_matrix(shape, None)
    bad_cells = bad.view(-1, 1, 1).expand(size)
    bad_cells = bad_cells if within is None else bad_cells & within
    H, *uses = (cells.masked_fill(bad_cells, torch.nan) for cells in (H, *uses))
    all_results = {"H": H, "h": H.sum(2), "entropy": torch.where(bad, torch.nan, -gamma_grad)}
    if of_cells:
        begin, end, *of_steps = uses
        step_posteriors = torch.stack(of_steps, 1)
        E = step_posteriors.sum(1) + begin
        all_results |= {"E": E, "visits": E.sum(1), "step_posteriors": step_posteriors}
        all_results |= {"begin": begin, "end": end}
    return {"value": found.detach(), **{name: all_results[name] for name in names}}


_OF_CELLS = frozenset({"E", "visits", "step_posteriors", "begin", "end"})
"""Results that are made of the use of each step, beginning and end."""


def _with_costs_of_cells(
    model: BatchModel, shape: BatchShape, dtype: torch.dtype
) -> tuple[BatchModel, list[Tensor]]:
    """Return the model with a cost for each cell to begin, to end and of every step, and these leaves."""
    first, last = corners(shape)
    entry, exit = (
        end.cells(corner, shape.rows, shape.columns)
        for end, corner in ((model.entry, first), (model.exit, last))
    )
    leaves = [
        penalty.to(shape.device, dtype, non_blocking=True)
        .expand(shape.batch, shape.rows, shape.columns)
        .clone()
        .requires_grad_()
        for penalty in (entry, exit, *model.penalties)
    ]
    begin, end, *penalties = leaves
    ends = Ends("cells", (begin,)), Ends("cells", (end,))
    return replace(model, penalties=tuple(penalties), entry=ends[0], exit=ends[1]), leaves


def _gradients(found: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return gradients of the sum of values; a pair without a path has none."""
    total = torch.where(found.isinf(), 0.0, found).sum()
    return torch.autograd.grad(total, inputs, allow_unused=True, materialize_grads=True)


def _for_each_pair(tensor: Tensor, pairs: int) -> Tensor:
    """Return a leaf (B,...) of a tensor () or (b,n,m): its gradient is that of each pair."""
    wide = tensor.expand(pairs) if tensor.ndim == 0 else tensor.expand(pairs, *tensor.shape[1:])
    return wide.detach().clone().requires_grad_()


@dataclass(frozen=True)
class _Sweep:
    """One sweep over matrices whose rows are the shorter axis."""

    model: BatchModel
    C: Tensor  # (B,R,L), 0 where no cost is
    allowed: Tensor  # (B,R,L) or (1,R,L)
    entry: Tensor | None  # (b,r,l) costs; None: the first cell
    exit: Tensor | None  # (b,r,l) costs; None: the last cell
    corner: tuple[Tensor, Tensor] | None  # of the last cell, (B,) each; None: that of the matrix
    is_turned: bool
    scale: Tensor  # (1,1,1) or (B,1,1), gamma or 1
    nothing: float

    @classmethod
    def of(cls, C: Tensor, allowed: Tensor, shape: BatchShape, model: BatchModel) -> "_Sweep":
        first, last = corners(shape)
        is_turned = shape.rows > shape.columns
        weighs_ends = model.exit_weight is not None
        entry, exit = (
            None
            if end.kind == "corner" and not dense
            else end.cells(corner, shape.rows, shape.columns).to(C.device, C.dtype, non_blocking=True)
            for end, corner, dense in ((model.entry, first, False), (model.exit, last, weighs_ends))
        )
        padded = shape.x_lengths is not None or shape.y_lengths is not None
        corner = (last[1], last[0]) if is_turned else last
        if is_turned:
            C, allowed = C.mT, allowed.mT
            entry, exit = (None if end is None else end.mT for end in (entry, exit))
        return cls(
            model,
            C,
            allowed,
            entry,
            exit,
            corner if padded else None,
            is_turned,
            _scale(model, C),
            1e300 if C.dtype == torch.float64 else 1e30,
        )

    def values(self) -> Tensor:
        """Return the values (B,), +inf without a path."""
        lines = self._lines()
        total = self._last_cell(lines) if self.exit is None else self._any_cell(lines, self.exit)
        value = -self.scale.flatten() * total
        return torch.where(total < -0.1 * self.nothing, torch.inf, value)

    def _lines(self) -> list[Tensor]:
        """Return a (B,R) of every anti-diagonal."""
        model = self.model
        batch, rows, _ = self.C.shape
        sizes = [model.sizes[s][::-1] if self.is_turned else model.sizes[s] for s in model.order]
        charges = [self._charge(model.weights[s], model.penalties[s]) for s in model.order]
        if self.entry is not None:
            charges.insert(0, self._charge(model.entry_weight, self.entry))
        of_lines = _lines_of(torch.stack(charges), self.nothing).unbind(0)
        margin = max(size[0] for size in sizes)
        nothing = self.C.new_full((batch, rows), -self.nothing)
        before = self.C.new_full((batch, margin), -self.nothing)
        reach = max(sum(size) for size in sizes)
        # Each line with its margin; the last one comes first.
        latest = deque([torch.cat((before, nothing), 1)] * reach, reach)
        free = torch.zeros_like(nothing)
        lines = []
        for k, charge in enumerate(of_lines):
            if k == 0 and self.entry is None:
                line = torch.cat((self._first_cell(), nothing[:, 1:]), 1)
            else:
                sources = [latest[i + j - 1][:, margin - i : margin - i + rows] for i, j in sizes]
                if self.entry is not None:
                    sources.insert(0, free)
                line = self._combined(torch.stack(sources) - charge, 0)
            lines.append(line)
            latest.appendleft(torch.cat((before, line), 1))
        return lines

    def _first_cell(self) -> Tensor:
        """Return a (B,1) of the first cell where it alone begins paths."""
        weight = self._given(self.model.entry_weight)[:, :1, :1]
        cost = _checked_weight(weight) * self.C[:, :1, :1] / self.scale
        allowed = self.allowed[:, :1, :1]
        return torch.where(allowed, -cost.clamp(max=self.nothing), -self.nothing).flatten(1)

    def _last_cell(self, lines: list[Tensor]) -> Tensor:
        """Return a (B,) where each pair ends."""
        if self.corner is None:
            return lines[-1][:, -1]
        row, column = self.corner
        cells = torch.stack(lines, 1).flatten(1)  # (B,K R)
        place = (row + column) * self.C.shape[1] + row
        return cells.gather(1, place.unsqueeze(1)).squeeze(1)

    def _any_cell(self, lines: list[Tensor], exit: Tensor) -> Tensor:
        """Return the log (B,) of the sum over all cells where paths end."""
        cells = _matrix_of(torch.stack(lines, -1))  # (B,R,K) -> (B,R,L)
        weight = self.model.exit_weight
        weight = self.C.new_zeros((1, 1, 1)) if weight is None else self._given(weight)
        ends = cells - self._charge_of(weight, exit)
        ends = ends.mT if self.is_turned else ends  # the first by rows settles ties
        return self._combined(ends.flatten(1), 1)

    def _charge(self, weight: Tensor, penalty: Tensor) -> Tensor:
        return self._charge_of(
            self._given(weight), penalty if penalty is self.entry else self._given(penalty)
        )

    def _charge_of(self, weight: Tensor, penalty: Tensor) -> Tensor:
        """Return the charge (B,R,L) of a way, over gamma."""
        closed = penalty == torch.inf
        penalty = torch.where(closed, 0.0, torch.where(penalty == -torch.inf, torch.nan, penalty))
        cost = (_checked_weight(weight) * self.C + penalty) / self.scale
        return torch.where(self.allowed & ~closed, cost.clamp(max=self.nothing), self.nothing)

    def _given(self, parameter: Tensor) -> Tensor:
        parameter = parameter.to(self.C.device, self.C.dtype, non_blocking=True)
        return parameter.mT if self.is_turned else parameter

    def _combined(self, ways: Tensor, axis: int) -> Tensor:
        """Return log sum exp, or the maximum, whose derivative goes to the first of the greatest."""
        if self.model.is_hard is True:
            return ways.max(axis).values
        soft = torch.logsumexp(ways, axis)
        if self.model.is_hard is False:
            return soft
        is_soft = self.model.gamma.to(ways.device, non_blocking=True).reshape(-1, *[1] * (soft.ndim - 1)) > 0
        return torch.where(is_soft, soft, ways.max(axis).values)


def _scale(model: BatchModel, C: Tensor) -> Tensor:
    if model.is_hard is True:
        return C.new_ones((1, 1, 1))
    gamma = model.gamma.to(C.device, C.dtype, non_blocking=True).reshape(-1, 1, 1)
    least = max(LEAST_GAMMA, torch.finfo(C.dtype).tiny)
    scale = torch.where(gamma > 0, gamma.clamp(min=least), 1.0)
    return torch.where(is_proper(gamma), scale, torch.nan)


def _checked_weight(weight: Tensor) -> Tensor:
    return torch.where(is_proper(weight), weight, torch.nan)


def _lines_of(matrices: Tensor, fill: float) -> Tensor:
    """Return the anti-diagonals (K,...,R) of matrices (...,R,L)."""
    rows, length = matrices.shape[-2:]
    shifted = pad(matrices, (0, rows), value=fill).flatten(-2)[..., : rows * (rows + length - 1)]
    return shifted.reshape(*shifted.shape[:-1], rows, rows + length - 1).movedim(-1, 0).contiguous()


def _matrix_of(lines: Tensor) -> Tensor:
    """Return the matrices (...,R,L) of anti-diagonals (...,R,K)."""
    rows, count = lines.shape[-2:]
    padded = pad(lines.flatten(-2), (0, rows))
    return padded.reshape(*padded.shape[:-1], rows, count + 1)[..., : count - rows + 1]
