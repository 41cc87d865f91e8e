"""CTC as a loss in the place of `torch.nn.CTCLoss`, and its lens."""

from collections.abc import Sequence

import torch
from torch import Tensor

from warplens.torch.frame_synchronous.batches import (
    GraphSettings,
    TensorsOfBatch,
    as_batch,
    as_tensors,
    columns_of,
)
from warplens.torch.frame_synchronous.blanks import as_blank_weight, as_penalty, as_softness
from warplens.torch.frame_synchronous.lens import CTCAlignment, once
from warplens.torch.frame_synchronous.module import FrameSynchronousLoss
from warplens.torch.frame_synchronous.values import FrameSynchronousBackend, backend_of, results, values
from warplens.torch.inputs.batches import (
    Lengths,
    as_dtype,
    dtype_of_loss,
    values_are_readable,
    widest_dtype,
)
from warplens.torch.inputs.settings import Reduction, check_reduction
from warplens.torch.inputs.torch_private import shown


class CTCLoss(FrameSynchronousLoss):
    r"""Connectionist temporal classification, in the place of `torch.nn.CTCLoss`.

    Over all paths that read out the targets when repeated classes are merged and blanks left out,

    .. math::
        \mathrm{value} = -\gamma \log \sum_{\text{paths } \pi}
                         \exp\Bigl( \tfrac{1}{\gamma} \sum_t \log p(t, \pi_t) \Bigr)

    In addition to torch's loss it has true gradients: -H Y in the log-probabilities, whatever rows sum to
    (torch's gradient is that of a log-softmax before it), also under label priors and where a class has
    probability 0; second derivatives; a softness gamma; and costs of blanks. `align_ctc` shows what it
    teaches.

    The cost of a label at frame t is C = -log p; that of a blank is blank_weight C + blank_penalty, except
    that the first frame has weight 1. `log_priors` are subtracted from log p, times `prior_scale`.

    `gamma`, `blank_penalty` and `log_priors` are float64 buffers, or parameters if given as `nn.Parameter`;
    no cast of the module rounds them. Change them in place, as schedules of gamma do.

    Args:
        blank: class of the blank.
        reduction: "none", "mean" (each item over its number of labels, at least 1, then the mean over items)
            or "sum".
        zero_infinity: count an item without a path as 0 instead of +inf; its gradient is 0 either way.
        gamma: softness, in nats, greater than 0.
        blank_penalty: cost of each frame on a blank, besides; a negative number makes blanks cheaper, +inf
            leaves none but free ones, and with `free_between` a free one to begin on.
        blank_weight: factor of the blank's cost (CTC-B: 2); None: 1.
        free_between: blanks between equal labels, which are needed, are entered at weight 1 and without
            the penalty.
        log_priors: (K,) logarithms of label priors.
        prior_scale: their factor.
        from_logits: the input are logits: the log-softmax is part of the loss, and takes no pass of its own.
        backend: "core" (the compiled core), "ops" (torch operations, a line of them a frame), or None: the
            core on the CPU and on devices without float64, which copies; operations elsewhere.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: An argument is out of range; the message names it.

    Example:
        >>> loss_fn = CTCLoss(from_logits=True)
        >>> logits, targets = torch.randn(50, 2, 20, requires_grad=True), torch.randint(1, 20, (2, 9))
        >>> loss_fn(logits, targets, (50, 41), (9, 6)).backward()

    Source: A. Graves et al., ICML 2006; blank weights: J. Zeitler and M. Mueller, 2026; label priors:
    arXiv:2406.02560.
    """

    blank_penalty: Tensor
    log_priors: Tensor | None

    def __init__(
        self,
        blank: int = 0,
        reduction: Reduction = "mean",
        zero_infinity: bool = False,
        *,
        gamma: float | Tensor = 1.0,
        blank_penalty: float | Tensor = 0.0,
        blank_weight: float | None = None,
        free_between: bool = False,
        log_priors: Tensor | Sequence[float] | None = None,
        prior_scale: float = 1.0,
        from_logits: bool = False,
        backend: FrameSynchronousBackend | None = None,
    ) -> None:
        super().__init__()
        check_reduction(reduction, "none")
        backend_of(backend, torch.device("cpu"))
        self.blank = _as_class(blank)
        self.reduction = reduction
        self.zero_infinity = zero_infinity
        self.blank_weight = as_blank_weight(blank_weight)
        self.free_between = free_between
        self.prior_scale = float(prior_scale)
        self.from_logits = from_logits
        self.backend = backend
        self._register("gamma", gamma, as_softness(gamma))
        self._register("blank_penalty", blank_penalty, as_penalty(blank_penalty))
        self._register("log_priors", log_priors, _as_priors(log_priors))
        self.keep_settings(gamma=gamma, blank_penalty=blank_penalty, log_priors=log_priors)

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths
    ) -> Tensor:
        """Return the loss of an item or a batch.

        Args:
            log_probs: (T,B,K) log-probabilities, or logits with `from_logits`; or (T,K). float64 is computed
                in float64; float32, float16 and bfloat16 in float32. Both (T,B,K) and a transposed (B,T,K)
                are read in place.
            targets: (B,S) padded with anything, or all labels one after the other (sum of lengths,); classes
                other than the blank. (S,) for one item.
            input_lengths: (B,) ints, tensor or sequence: frames of each item. What lies behind is never read.
            target_lengths: (B,) ints, labels of each item.

        Returns:
            () or, with reduction "none", (B,), in the dtype of `log_probs`; under autocast float32 at least.
            It is differentiable twice in `log_probs`, `gamma`, `blank_penalty` and `log_priors`; second
            derivatives are made by torch operations in float64.

        Raises:
            TypeError: An argument is not of an accepted type.
            ValueError: Shapes do not fit, or on the CPU a length or a label is out of range.
        """
        tensors = as_tensors(log_probs, targets, input_lengths, target_lengths)
        backend = backend_of(self.backend, log_probs.device)
        tensors, settings = self._asked(tensors)
        scale = _scale(tensors[3], log_probs.device) if self.reduction == "mean" else None
        found = values(tensors, settings, backend, scale)
        if self.zero_infinity:
            found = torch.where(found == torch.inf, 0.0, found)
        if log_probs.ndim == 2:
            found = found[0]
        reduced = found if self.reduction == "none" else found.sum()
        return as_dtype(reduced, dtype_of_loss(log_probs))

    @torch.no_grad()
    def align(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths
    ) -> CTCAlignment:
        """Return what the loss teaches under its settings; `align_ctc` says what that is.

        Args:
            log_probs: (T,B,K) or (T,K), as all others as the loss takes them.
            targets: (B,S), (sum of lengths,) or (S,).
            input_lengths: (B,) ints.
            target_lengths: (B,) ints.
        """
        tensors = as_tensors(log_probs, targets, input_lengths, target_lengths)
        backend = backend_of(self.backend, log_probs.device)
        tensors, settings = self._asked(tensors)
        return _lens(tensors, settings, backend, log_probs.ndim == 2)

    def _asked(self, tensors: TensorsOfBatch) -> tuple[TensorsOfBatch, GraphSettings]:
        """Return the tensors, and settings; priors that learn are subtracted by operations of torch."""
        scores, targets, input_lengths, target_lengths = tensors
        from_logits, class_costs = self.from_logits, None
        if self.log_priors is not None:
            if self.log_priors.shape != scores.shape[2:]:
                raise ValueError(
                    f"log_priors: has shape {tuple(self.log_priors.shape)}; "
                    f"one for each of {scores.shape[2]} classes is accepted"
                )
            if torch.is_grad_enabled() and self.log_priors.requires_grad:
                scores = scores.log_softmax(2) if from_logits else scores
                scores = scores - (self.prior_scale * self.log_priors).to(scores)
                from_logits = False
            else:
                class_costs = (self.prior_scale * self.log_priors.detach()).to(torch.float64)
        settings = GraphSettings(
            self.blank,
            as_softness(self.gamma),
            as_dtype(self.blank_penalty, torch.float64),
            self.blank_weight,
            self.free_between,
            class_costs,
            from_logits,
        )
        return (scores, targets, input_lengths, target_lengths), settings

    def extra_repr(self) -> str:
        """Return the settings, as the constructor takes them."""
        settings = [
            f"blank={self.blank}",
            f"reduction={self.reduction!r}",
            f"zero_infinity={self.zero_infinity}",
            f"gamma={shown(self.gamma)}",
        ]
        penalty = shown(self.blank_penalty)
        if penalty != "0":
            settings.append(f"blank_penalty={penalty}")
        if self.blank_weight != 1:
            settings.append(f"blank_weight={self.blank_weight:g}")
        if self.log_priors is not None:
            settings.append(f"prior_scale={self.prior_scale:g}")
        settings += [f"{name}=True" for name in ("free_between", "from_logits") if getattr(self, name)]
        return ", ".join(settings)


def align_ctc(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
    gamma: float | Tensor = 1.0,
    blank_penalty: float | Tensor = 0.0,
    blank_weight: float | None = None,
    free_between: bool = False,
    log_priors: Tensor | Sequence[float] | None = None,
    prior_scale: float = 1.0,
    from_logits: bool = False,
    backend: FrameSynchronousBackend | None = None,
) -> CTCAlignment:
    """Align targets and frames by CTC: occupancy, and the modified targets that the loss teaches.

    With the occupancy E of the expanded targets and H = dvalue/dC (E, unless blanks have a weight), h(n) is
    the row sum of H, and Y_mod(n,k) the sum of H / h over the columns of class k: the gradient of the loss in
    logits is h(n) (softmax - Y_mod). For plain CTC h = 1, and Y_mod is the frame occupancy of each class.

    Args:
        log_probs: As in `CTCLoss`, and so all others.
        targets: (B,S), (sum of lengths,) or (S,).
        input_lengths: (B,) ints.
        target_lengths: (B,) ints.
        blank: class of the blank.
        gamma: softness.
        blank_penalty: cost of each frame on a blank.
        blank_weight: factor of the blank's cost.
        free_between: True if needed blanks are entered free.
        log_priors: (K,).
        prior_scale: their factor.
        from_logits: True if the input are logits.
        backend: "core", "ops" or None.

    Returns:
        A `CTCAlignment`; its tensors carry no gradient.

    Raises:
        TypeError: As in `CTCLoss`.
        ValueError: As in `CTCLoss`.
    """
    loss = CTCLoss(
        blank,
        gamma=gamma,
        blank_penalty=blank_penalty,
        blank_weight=blank_weight,
        free_between=free_between,
        log_priors=log_priors,
        prior_scale=prior_scale,
        from_logits=from_logits,
        backend=backend,
    )
    return loss.align(log_probs, targets, input_lengths, target_lengths)


def _lens(
    tensors: TensorsOfBatch,
    settings: GraphSettings,
    backend: FrameSynchronousBackend,
    unbatched: bool,
) -> CTCAlignment:
    dtype = tensors[0].dtype
    # Settings may be changed between now and the first look at H.
    settings = settings.snapshot()
    batch = as_batch(tensors, settings.blank)

    def compute(names: Sequence[str]) -> dict[str, Tensor]:
        found = results(tensors, settings, backend, names)
        of_frames = {"H", "E", "h", "y_mod"}
        laid = {
            name: result.transpose(0, 1).to(dtype) if name in of_frames else result
            for name, result in found.items()
        }
        if not unbatched:
            return laid
        return {name: result[:, 0] if name in of_frames else result[0] for name, result in laid.items()}

    found = compute(["h", "y_mod", "durations", "entropy"])
    columns = columns_of(batch, settings.blank)
    outside = torch.arange(columns.shape[1], device=columns.device) > 2 * batch.label_lengths[:, None]
    item = 0 if unbatched else slice(None)
    return CTCAlignment(
        found["value"].to(dtype),
        found["h"],
        found["y_mod"],
        found["durations"].to(dtype),
        found["entropy"].to(dtype),
        columns.masked_fill(outside, -1)[item],
        batch.frames[item],
        batch.label_lengths[item],
        once(compute, [tensor for tensor in tensors[:2] if tensor is not None]),
    )


def _scale(label_lengths: Tensor, device: torch.device) -> Tensor:
    """Return the factor of each item in a mean, 1 / (max(L,1) B), (B,)."""
    return 1 / (label_lengths.to(device).clamp(min=1) * len(label_lengths)).to(widest_dtype(device))


def _as_class(blank: object) -> int:
    if isinstance(blank, bool) or not isinstance(blank, int):
        raise TypeError(f"blank: is {blank!r}; the index of a class is accepted")
    if blank < 0:
        raise ValueError(f"blank: is {blank}; classes are counted from 0")
    return blank


def _as_priors(priors: Tensor | Sequence[float] | None) -> Tensor | None:
    if priors is None:
        return None
    checked = priors if isinstance(priors, Tensor) else torch.tensor(priors, dtype=torch.float64)
    if checked.ndim != 1 or checked.is_complex():
        raise ValueError(f"log_priors: has shape {tuple(checked.shape)}; one number a class is accepted")
    if values_are_readable(checked) and not bool(checked.isfinite().all()):
        index = int((~checked.isfinite()).nonzero()[0])
        raise ValueError(f"log_priors: entry {index} is {float(checked[index])}; finite numbers are accepted")
    return as_dtype(checked, torch.float64)
