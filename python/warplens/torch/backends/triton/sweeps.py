"""The sweeps over a batch by the Triton kernels, one program a pair.

What decides the time, by reasoning (no device was at hand), is the chain from line to line, S of them, three
times (forward, forward again, back): pairs run beside each other on different multiprocessors, and a line is
one scan of some twenty dependent joins. So the kernels keep everything else off that chain. Costs come from
batched products, a segment of lines before each launch, rather than from products inside the kernel, which
would wait for them with the few warps that one pair has; joins are short (`device_functions`);
the backward kernel reads the step probabilities. A segment takes two launches on the way forward and
five or so on the way back.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from warplens.torch.backends.ops.softmin import LEAST_GAMMA, is_proper
from warplens.torch.backends.triton.backward_kernel import visit_lines
from warplens.torch.backends.triton.costs import LineLayout, SegmentedCosts
from warplens.torch.backends.triton.device_functions import NOTHING
from warplens.torch.backends.triton.forward_kernel import accumulate_lines
from warplens.torch.backends.triton.plan import Plan
from warplens.torch.inputs.settings import RecursionSettings

LN_2 = 0.6931471805599453


class Sweeps:
    """The sweeps forward and back over one batch.

    Args:
        costs: gives costs and takes alignments.
        layout: of the batch.
        settings: gamma and step weights.
        plan: for the sizes of the batch.
        dtype: float32 or float64, the precision of results.
        device: of the batch.
    """

    def __init__(
        self,
        costs: SegmentedCosts,
        layout: LineLayout,
        settings: RecursionSettings,
        plan: Plan,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        from triton import language as tl

        self._costs, self._plan, self._layout = costs, plan, layout
        self._dtype = tl.float64 if dtype == torch.float64 else tl.float32
        self._ends = layout.ends()
        # Nothing here may wait for the device, and an index in a list would.
        gamma, weights = (
            number.detach().to(device, torch.float64, non_blocking=True)
            for number in (settings.gamma, settings.step_weights)
        )
        is_soft = gamma > 0
        proper = is_proper(gamma) & is_proper(weights).all()
        # One unit of log2 a, in costs.
        unit = torch.where(is_soft, LN_2 * gamma.clamp(min=LEAST_GAMMA), 1.0)
        self._unit = unit.masked_fill(~proper, torch.nan)
        # Diagonal, along, across, from horizontal, vertical, diagonal.
        self._weights = weights.roll(1) if layout.long_is_x else weights.flip(0)
        self._rates = torch.cat([self._weights / self._unit, is_soft.to(torch.float64).view(1)])
        self._rows = torch.full(plan.row_shape, NOTHING, dtype=torch.float64, device=device)
        self._rows[0, :, 0] = 0.0  # a(0,0) = 1, all other borders 0
        self._log_ends = torch.full_like(self._rows[0, :, 0], NOTHING)
        cells = plan.pairs * plan.segment * plan.length
        self._cells = self._rows.new_empty(cells)
        self._probabilities = self._rows.new_empty(0)

    def forward(self, *, keep: bool) -> Tensor:
        """Return values (B,) float64, +inf without a path; `keep` if `backward` is to follow."""
        plan = self._plan
        if keep:
            self._probabilities = self._cells.new_empty(3 * len(self._cells))
        for index, (first, count) in enumerate(plan.bounds()):
            C = self._segment(count)
            self._costs.write(first, C)
            self._accumulate(C, index, first, keep=keep and index + 1 == plan.segments)
        has_none = self._log_ends <= 0.5 * NOTHING
        return torch.where(has_none, torch.inf, -self._unit * self._log_ends)

    def backward(self, *, moments: bool, visits: bool = False) -> tuple[Tensor, Tensor]:
        """Run back, and give alignments to the costs.

        Returns:
            Gradients in gamma (B,) and in the step weights (B,3): horizontal, vertical, diagonal; zeros
            unless `moments`.
        """
        plan = self._plan
        flows = self._cells.new_zeros(plan.flow_shape)
        sums = self._cells.new_zeros((plan.segments, plan.pairs, 4))
        E = self._cells.new_empty(len(self._cells) if visits else 0)
        for index, (first, count) in reversed(list(enumerate(plan.bounds()))):
            C = self._segment(count)
            if index + 1 < plan.segments:
                self._costs.write(first, C)
                self._accumulate(C, index, first, keep=True)
            with _on_device_of(C):
                visit_lines[(plan.pairs,)](
                    C,
                    self._probabilities,
                    E,
                    flows,
                    sums[index],
                    self._log_ends,
                    self._weights,
                    self._ends,
                    first,
                    count,
                    plan.length,
                    plan.pairs,
                    MOMENTS=moments,
                    VISITS=visits,
                    TYPE=self._dtype,
                    BLOCK=plan.block,
                    **plan.options,
                )
            self._costs.collect(first, C, E[: C.numel()].view_as(C) if visits else None)
        diagonal, along, across, entropy = sums.sum(dim=0).unbind(dim=1)
        horizontal, vertical = (along, across) if self._layout.long_is_x else (across, along)
        return -LN_2 * entropy, torch.stack([horizontal, vertical, diagonal], dim=1)

    def _segment(self, count: int) -> Tensor:
        """Return the one buffer of cells, as (B,count,L)."""
        plan = self._plan
        cells = plan.pairs * count * plan.length
        return self._cells[:cells].view(plan.pairs, count, plan.length)

    def _accumulate(self, C: Tensor, index: int, first: int, *, keep: bool) -> None:
        plan = self._plan
        with _on_device_of(C):
            accumulate_lines[(plan.pairs,)](
                C,
                self._rows,
                self._probabilities,
                self._log_ends,
                self._rates,
                self._ends,
                first,
                C.shape[1],
                plan.length,
                plan.pairs,
                index,
                index + 1,
                plan.segments + 1,
                KEEP=keep,
                ALONG_FIRST=self._layout.long_is_x,
                TYPE=self._dtype,
                BLOCK=plan.block,
                **plan.options,
            )


def _on_device_of(tensor: Tensor) -> AbstractContextManager[object]:
    """Make the device of a tensor current: Triton launches on the current one."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()
