"""Drop-DTW as a loss, and its lens: frames may be dropped at a cost instead of being matched."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from warplens.torch.backends.costs import cost_matrix, is_distance, mapped_targets
from warplens.torch.backends.relative_alignment import rows_of_one
from warplens.torch.family.drops import results_of_drops, values_of_drops
from warplens.torch.frame_synchronous.alignments import FrameAlignment
from warplens.torch.frame_synchronous.batches import GraphSettings, TensorsOfBatch
from warplens.torch.frame_synchronous.module import BatchFirstLoss
from warplens.torch.frame_synchronous.values import FrameSynchronousBackend, backend_of, results, values
from warplens.torch.inputs.batches import (
    CostMatrices,
    Lengths,
    Pairs,
    as_dtype,
    as_pairs,
    check_values,
    dtype_of_loss,
    inside,
    lengths_or_all,
    values_are_readable,
    widest_dtype,
)
from warplens.torch.inputs.settings import (
    Cost,
    FeatureReduction,
    LocalCost,
    Normalize,
    Reduction,
    Weights,
    as_gamma,
    as_local_cost,
    as_weight_vector,
    bare_cost,
    check_names,
)
from warplens.torch.inputs.torch_private import is_transformed, shown


class DropDTWLoss(BatchFirstLoss):
    r"""Drop-DTW: each frame of x is matched, at C(n,m), or dropped, at drop(n).

    Every target is matched, in order. The loss of an item is the softmin, at softness gamma, over all
    alignments of the sum of their matches and their drops, each alignment once. With `contiguous` no frame is
    dropped between the frames of one target:
    then, with states k = dropped, y_1, dropped, ..., y_M, dropped that cost c(n,k) = drop(n) or C(n,m),

        D(n,k) = c(n,k) + min_g { D(n-1,k), D(n-1,k-1), D(n-1,k-2) where k is a target },

    begins at the first two states and ends at the last two. A cost of +inf forbids a match alone.

    `drop` and `gamma` are float64 buffers, or parameters if given as `nn.Parameter`; no cast of the module
    rounds them. `feature_weights` and `pos_weight` are float64 buffers.

    Args:
        drop: the cost to drop a frame, in the unit of the cost: a number or, by frames, (N,) or (B,N); +inf
            forbids. None: every call gives it. May be an `nn.Parameter`.
        cost: name of a cost or a callable, as in `SoftDTWLoss`.
        gamma: softness, in the unit of the cost; 0 is Drop-DTW itself.
        contiguous: no frame is dropped between the frames of one target.
        many_to_one: a matched frame may be matched to the next targets too. Where not contiguous, drop costs
            are then above 0, unless gamma is 0.
        reduction: "none", "mean" (plain mean over items) or "sum".
        normalize: divide each item first by its "x_length" N, "y_length" M or "both" N+M; "none" does not.
        zero_infinity: count an item without a path as 0 instead of +inf; its gradient is 0 either way.
        feature_weights: (D,) weight of each feature in the cost.
        pos_weight: (D,) weight of the positive part, for "bce" and "bce_logits".
        feature_reduction: "sum" over features, or "mean".
        backend: "core", "ops" or None, as in `CTCLoss`.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: An argument is out of range; the message names it.

    Example:
        >>> loss_fn = DropDTWLoss(drop=torch.nn.Parameter(torch.tensor(0.5)), cost="cosine", gamma=0.1)
        >>> clips, steps = torch.randn(4, 90, 32, requires_grad=True), torch.randn(4, 8, 32)
        >>> loss_fn(clips, steps, y_lengths=(8, 7, 5, 8)).backward()

    Source: N. Dvornik, I. Hadji, K. G. Derpanis, A. Garg and A. D. Jepson, Drop-DTW: aligning common signal
    between sequences while dropping outliers, NeurIPS 2021.
    """

    drop: Tensor | None
    feature_weights: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        drop: float | Tensor | None = None,
        cost: Cost = "mse",
        gamma: float | Tensor = 1.0,
        *,
        contiguous: bool = True,
        many_to_one: bool = False,
        reduction: Reduction = "mean",
        normalize: Normalize = "none",
        zero_infinity: bool = False,
        feature_weights: Weights | None = None,
        pos_weight: Weights | None = None,
        feature_reduction: FeatureReduction = "sum",
        backend: FrameSynchronousBackend | None = None,
    ) -> None:
        super().__init__(reduction, normalize, zero_infinity, backend)
        check_names(cost, feature_weights, pos_weight, feature_reduction)
        self.cost = cost
        self.contiguous = contiguous
        self.many_to_one = many_to_one
        self.feature_reduction = feature_reduction
        self._register("drop", drop, None if drop is None else _as_drop(drop))
        self._register("gamma", gamma, as_gamma(gamma))
        for name, given in (("feature_weights", feature_weights), ("pos_weight", pos_weight)):
            checked = as_weight_vector(name, given)
            self.register_buffer(name, None if checked is None else checked.clone())
        self.keep_settings(drop=drop, gamma=gamma, feature_weights=feature_weights, pos_weight=pos_weight)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        x_lengths: Lengths | None = None,
        y_lengths: Lengths | None = None,
        *,
        drop: float | Tensor | None = None,
    ) -> Tensor:
        """Return the loss of an item or a batch.

        Args:
            x: (B,N,D) predictions, or (N,D). Costs are computed in float64.
            y: (B,M,D) targets, or (M,D).
            x_lengths: (B,) ints, the frames of each item, as tensor or sequence; None: all N. What lies
                behind is never read, and its gradient is 0.
            y_lengths: (B,) ints, and the targets.
            drop: in place of the module's: a number, (N,) or (B,N); may require grad.

        Returns:
            () or, with reduction "none", (B,), in the dtype of x and y, promoted; under autocast float32 at
            least. It is differentiable twice in x, y, drop and gamma. An item without a path is +inf; NaN
            stays in its item.

        Raises:
            TypeError: An argument is not of an accepted type.
            ValueError: Shapes do not fit, there is no drop cost, or on the CPU a value is out of range.
        """
        pairs, cost = self._pairs(x, y, x_lengths, y_lengths)
        drops, gamma = self._drops(drop, pairs), as_gamma(self.gamma)
        lengths = lengths_or_all(pairs.x_lengths, pairs.x), lengths_or_all(pairs.y_lengths, pairs.y)
        matrices = CostMatrices(_costs(pairs, cost), pairs.x_lengths, pairs.y_lengths, pairs.unbatched)
        scale = self._scale(pairs.x, *lengths, pairs.unbatched)
        backend = backend_of(self.backend, x.device)
        if self._is_frame_synchronous(gamma):
            found = values(_scores(matrices.C, drops, lengths), GraphSettings.plain(0, gamma), backend, scale)
        else:
            found = values_of_drops(
                matrices,
                drops,
                gamma,
                scale,
                backend,
                contiguous=self.contiguous,
                many_to_one=self.many_to_one,
            )
        return self._reduced(found, pairs.unbatched, dtype_of_loss(x, y))

    @torch.no_grad()
    def align(
        self,
        x: Tensor,
        y: Tensor,
        x_lengths: Lengths | None = None,
        y_lengths: Lengths | None = None,
        *,
        drop: float | Tensor | None = None,
    ) -> FrameAlignment:
        """Return what the loss teaches under its settings; `align_drop_dtw` says what that is.

        Args:
            x: (B,N,D) or (N,D), as all others as the loss takes them.
            y: (B,M,D) or (M,D).
            x_lengths: (B,) ints or None.
            y_lengths: (B,) ints or None.
            drop: in place of the module's: a number, (N,) or (B,N).
        """
        pairs, cost = self._pairs(x, y, x_lengths, y_lengths)
        drops, gamma = self._drops(drop, pairs), as_gamma(self.gamma)
        lengths = lengths_or_all(pairs.x_lengths, pairs.x), lengths_or_all(pairs.y_lengths, pairs.y)
        backend = backend_of(self.backend, x.device)

        def compute(_names: Sequence[str]) -> dict[str, Tensor]:
            matrices = CostMatrices(
                cost_matrix(pairs, cost), pairs.x_lengths, pairs.y_lengths, pairs.unbatched
            )
            if self._is_frame_synchronous(gamma):
                found = _frame_synchronous_results(matrices.C, drops, lengths, gamma, backend)
            else:
                names = ["H", "E", "h", "visits", "entropy"]
                found = results_of_drops(
                    matrices,
                    drops,
                    gamma,
                    names,
                    backend,
                    contiguous=self.contiguous,
                    many_to_one=self.many_to_one,
                )
            if cost.has_modified_targets:
                targets = mapped_targets(pairs, cost)
                found["y_mod"] = rows_of_one(found["H"]).to(targets.dtype) @ targets
            return {name: result.to(pairs.x.dtype) for name, result in found.items()}

        B, N, M = len(pairs.x), pairs.x.shape[1], pairs.y.shape[1]
        sizes = f"N={N} M={M}" if pairs.unbatched else f"B={B} N={N} M={M}"
        told = f"{sizes} cost={cost.name} gamma={shown(gamma)}"
        return FrameAlignment(
            compute,
            [],  # all is computed at once
            *lengths,
            describe=lambda: told,
            cost=cost.name,
            has_modified_targets=cost.has_modified_targets,
            unbatched=pairs.unbatched,
        )

    def extra_repr(self) -> str:
        """Return the settings, as the constructor takes them."""
        cost = bare_cost(self.cost)
        name = cost if isinstance(cost, str) else getattr(cost, "__name__", repr(cost))
        settings = [f"cost={name!r}", f"gamma={shown(self.gamma)}"]
        if self.drop is not None:
            drop = shown(self.drop) if self.drop.numel() == 1 else f"<{tuple(self.drop.shape)}>"
            settings = [f"drop={drop}", *settings]
        settings += [] if self.contiguous else ["contiguous=False"]
        settings += ["many_to_one=True"] if self.many_to_one else []
        return ", ".join([*settings, *self._repr_of_reduction()])

    def _pairs(
        self, x: Tensor, y: Tensor, x_lengths: Lengths | None, y_lengths: Lengths | None
    ) -> tuple[Pairs, LocalCost]:
        pairs = as_pairs(x, y, x_lengths, y_lengths)
        cost = as_local_cost(
            self.cost,
            self.feature_weights,
            self.pos_weight,
            self.feature_reduction,
            features=pairs.x.shape[2],
        )
        check_values(pairs, cost.kind)
        return pairs, cost

    def _drops(self, given: float | Tensor | None, pairs: Pairs) -> Tensor:
        """Return the drop costs (B,N) in float64 where the device has it."""
        drop = self.drop if given is None else given
        if drop is None:
            raise ValueError(
                "drop: is given neither to the loss nor to the call; the cost of a frame is needed"
            )
        drop = _as_drop(drop)
        B, N = pairs.x.shape[:2]
        if drop.numel() != 1 and drop.shape not in ((N,), (B, N)):
            raise ValueError(
                f"drop: has shape {tuple(drop.shape)}; a number, (N,) = ({N},) or (B,N) = ({B}, {N}) "
                "is accepted"
            )
        drop = drop.reshape(()) if drop.numel() == 1 else drop
        drops = drop.to(pairs.x.device, widest_dtype(pairs.x.device)).expand(B, N)
        if values_are_readable(drops) and values_are_readable(pairs.x):
            self._check_drops(drops, pairs)
        return drops

    def _check_drops(self, drops: Tensor, pairs: Pairs) -> None:
        softens = not self.contiguous and self.many_to_one and float(self.gamma.detach()) > 0
        wrong = drops <= 0 if softens else drops == -torch.inf
        if pairs.x_lengths is not None:
            wrong = wrong & inside(drops, pairs.x_lengths)
        if wrong.any():
            item, frame = wrong.nonzero()[0].tolist()
            accepted = "costs above -inf are accepted"
            if softens:
                accepted = "many to one that is not contiguous, at gamma > 0, accepts costs above 0"
            at = f"frame {frame}" if pairs.unbatched else f"frame {frame} of item {item}"
            raise ValueError(f"drop: is {drops[item, frame].item():g} at {at}; {accepted}")

    def _is_frame_synchronous(self, gamma: Tensor) -> bool:
        """Tell if the kernel of CTC serves: it is one to one, and its softness is above 0."""
        is_hard = values_are_readable(gamma) and float(gamma.detach()) == 0
        return self.contiguous and not self.many_to_one and not is_hard


def align_drop_dtw(
    x: Tensor,
    y: Tensor,
    drop: float | Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    cost: Cost = "mse",
    gamma: float | Tensor = 1.0,
    contiguous: bool = True,
    many_to_one: bool = False,
    feature_weights: Weights | None = None,
    pos_weight: Weights | None = None,
    feature_reduction: FeatureReduction = "sum",
    backend: FrameSynchronousBackend | None = None,
) -> FrameAlignment:
    """Align every pair by Drop-DTW.

    H and E (B,N,M) are over matches alone, whatever graph is inside; h(n) is the probability that a frame is
    kept, or with `many_to_one` the expected number of its targets, and `visits` (B,M) the expected number of
    frames of each target. y_mod is the row's mean target, 0 where h is below 1e-20; a frame with h < 0.05 is
    hardly taught, whatever its y_mod.

    Args:
        x: As in `DropDTWLoss`, and so all others.
        y: (B,M,D) or (M,D).
        drop: a number, (N,) or (B,N).
        x_lengths: (B,) ints or None.
        y_lengths: (B,) ints or None.
        cost: name or callable; a callable, "euclidean" and "l1" have no modified targets.
        gamma: softness.
        contiguous: True where no frame is dropped between those of one target.
        many_to_one: True where a frame may be matched to several targets.
        feature_weights: (D,).
        pos_weight: (D,).
        feature_reduction: "sum" or "mean".
        backend: "core", "ops" or None.

    Returns:
        A `FrameAlignment`; its tensors carry no gradient and are those of the undivided items.

    Raises:
        TypeError: As in `DropDTWLoss`.
        ValueError: As in `DropDTWLoss`.
    """
    loss = DropDTWLoss(
        None,
        cost,
        gamma,
        contiguous=contiguous,
        many_to_one=many_to_one,
        feature_weights=feature_weights,
        pos_weight=pos_weight,
        feature_reduction=feature_reduction,
        backend=backend,
    )
    return loss.align(x, y, x_lengths, y_lengths, drop=drop)


def _as_drop(drop: float | Tensor) -> Tensor:
    """Check a drop cost as far as this needs no lengths, and return it in float64."""
    if not isinstance(drop, Tensor):
        number = float(drop)
        if not number > -math.inf:
            raise ValueError(f"drop: is {number}; a cost above -inf is accepted, inf forbids")
        return torch.tensor(number, dtype=torch.float64)
    if drop.is_complex() or drop.dtype == torch.bool:
        raise TypeError(f"drop: has dtype {drop.dtype}; real numbers are accepted")
    if drop.ndim > 2:
        raise ValueError(f"drop: has shape {tuple(drop.shape)}; a number, (N,) or (B,N) is accepted")
    return as_dtype(drop, torch.float64)


def _scores(C: Tensor, drops: Tensor, lengths: tuple[Tensor, Tensor]) -> TensorsOfBatch:
    """Return scores (B,N,1+M) of dropping, in the place of the blank, and of each target."""
    targets = torch.arange(1, C.shape[2] + 1, device=C.device).expand(len(C), -1)
    return torch.cat([-drops[:, :, None], -C.to(drops.dtype)], 2), targets, *lengths


def _frame_synchronous_results(
    C: Tensor, drops: Tensor, lengths: tuple[Tensor, Tensor], gamma: Tensor, backend: FrameSynchronousBackend
) -> dict[str, Tensor]:
    """Return value, H, E, h, visits and entropy over frames and targets."""
    names = ["h", "y_mod", "durations", "entropy"]
    found = results(_scores(C, drops, lengths), GraphSettings.plain(0, gamma.detach()), backend, names)
    H = (found["y_mod"] * found["h"][:, :, None])[:, :, 1:]
    return {
        "value": found["value"],
        "H": H,
        "E": H,
        "h": H.sum(2),
        "visits": found["durations"][:, 1::2],
        "entropy": found["entropy"],
    }


def _costs(pairs: Pairs, cost: LocalCost) -> Tensor:
    """Return C (B,N,M), differentiable twice."""
    if not is_distance(cost) or cost.prior is not None or torch.compiler.is_compiling():
        return cost_matrix(pairs, cost)
    if is_transformed():
        return cost_matrix(pairs, cost, twice=True)
    C = _Distances.apply(pairs.x, pairs.y, pairs, cost)  # type: ignore[no-untyped-call]
    return cast(Tensor, C)


class _Distances(torch.autograd.Function):
    """Matrices of distances, of which torch itself knows first derivatives alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, pairs: Pairs, cost: LocalCost) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.lengths, ctx.cost = (pairs.x_lengths, pairs.y_lengths), cost
        return cost_matrix(replace(pairs, x=x.detach(), y=y.detach()), cost)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        again = torch.is_grad_enabled()
        with torch.enable_grad():
            sides = [
                side.view_as(side) if again and side.requires_grad else side.detach().requires_grad_()
                for side in ctx.saved_tensors
            ]
            x_lengths, y_lengths = ctx.lengths
            pairs = Pairs(sides[0], sides[1], x_lengths, y_lengths, unbatched=False)
            C = cost_matrix(pairs, ctx.cost, twice=again)
            found = torch.autograd.grad(C, sides, upstream, create_graph=again)
        return *(g if yes else None for g, yes in zip(found, ctx.needs_input_grad, strict=False)), None, None
