"""CTC with multi-hot targets as a loss, and its lens."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor

from warplens._core import LEAST_ROW_SUM
from warplens.torch.frame_synchronous.alignments import LabelAlignment
from warplens.torch.frame_synchronous.batches import GraphSettings, TensorsOfBatch
from warplens.torch.frame_synchronous.blanks import as_blank_weight, as_penalty, as_softness
from warplens.torch.frame_synchronous.module import BatchFirstLoss
from warplens.torch.frame_synchronous.values import FrameSynchronousBackend, backend_of, results
from warplens.torch.inputs.batches import (
    Lengths,
    as_dtype,
    as_lengths,
    check_tensor,
    dtype_of_loss,
    dtype_of_results,
    inside,
    lengths_or_all,
    values_are_readable,
    widest_dtype,
)
from warplens.torch.inputs.settings import Normalize, Reduction
from warplens.torch.inputs.torch_private import shown

Encoding: TypeAlias = Literal["we", "ne3", "ne2"]
COMPONENTS = {"we": 2, "ne3": 3, "ne2": 2}
"""The number of components of each category."""


class MultiLabelCTCLoss(BatchFirstLoss):
    r"""CTC whose targets are multi-hot: characters of D pitches each, as of chords or of polyphonic music.

    Over the expanded targets w = blank, y_1, blank, ..., y_M, blank the cost of a frame is C(n,m) =
    -<log p(n), w(m)>, and the loss is that of `CTCLoss`: equal targets in a row need a blank between them.
    Encodings:

        "we"   log_probs (B,N,1+D,2): the overall blank, then D pitches, each (off, on). A blank frame counts
               the blank as on, and no pitch; a target counts the blank as off, and every pitch.
        "ne3"  log_probs (B,N,D,3): each pitch (blank, off, on); the blank is blank in all.
        "ne2"  log_probs (B,N,D,2): each pitch (off, on); the blank is off in all, so that no target may be.

    Log-probabilities are normalised over the last axis; the gradient is the true one whatever they sum to:
    -h y_mod, which `align_multi_label_ctc` shows for each category.

    `gamma` and `blank_penalty` are float64 buffers, or parameters if given as `nn.Parameter`.

    Args:
        encoding: "we", "ne3" or "ne2".
        gamma: softness, in nats, greater than 0.
        blank_penalty: cost of each frame on a blank, besides; +inf leaves none but free ones.
        blank_weight: factor of the blank's cost; None: 1.
        free_between: blanks between equal targets are entered at weight 1 and without the penalty.
        reduction: "none", "mean" (plain mean over items) or "sum".
        normalize: divide each item first by "x_length", its frames, "y_length", its targets, or "both";
            "none" does not.
        zero_infinity: count an item without a path as 0 instead of +inf; its gradient is 0 either way.
        backend: "core", "ops" or None, as in `CTCLoss`.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: An argument is out of range; the message names it.

    Example:
        >>> loss_fn = MultiLabelCTCLoss("we")
        >>> logits = torch.randn(4, 90, 1 + 12, 2, requires_grad=True)
        >>> chords = torch.randint(0, 2, (4, 20, 12))
        >>> loss_fn(logits.log_softmax(3), chords, (90, 80, 70, 60), (20, 18, 20, 11)).backward()

    Source: C. Wigington, B. Price and S. Cohen, Multi-label connectionist temporal classification, ICDAR
    2019; C. Weiss and G. Peeters, Learning multi-pitch estimation from weakly aligned score-audio pairs using
    a multi-label CTC loss, WASPAA 2021; blank weights: J. Zeitler and M. Mueller, 2026.
    """

    blank_penalty: Tensor

    def __init__(
        self,
        encoding: Encoding = "we",
        gamma: float | Tensor = 1.0,
        *,
        blank_penalty: float | Tensor = 0.0,
        blank_weight: float | None = None,
        free_between: bool = False,
        reduction: Reduction = "mean",
        normalize: Normalize = "none",
        zero_infinity: bool = False,
        backend: FrameSynchronousBackend | None = None,
    ) -> None:
        super().__init__(reduction, normalize, zero_infinity, backend)
        if encoding not in get_args(Encoding):
            raise ValueError(f'encoding: is {encoding!r}; "we", "ne3" and "ne2" are accepted')
        self.encoding: Encoding = encoding
        self.blank_weight = as_blank_weight(blank_weight)
        self.free_between = free_between
        self._register("gamma", gamma, as_softness(gamma))
        self._register("blank_penalty", blank_penalty, as_penalty(blank_penalty))
        self.keep_settings(gamma=gamma, blank_penalty=blank_penalty)

    def forward(
        self,
        log_probs: Tensor,
        y: Tensor,
        x_lengths: Lengths | None = None,
        y_lengths: Lengths | None = None,
    ) -> Tensor:
        """Return the loss of an item or a batch.

        Args:
            log_probs: (B,N,1+D,2), (B,N,D,3) or (B,N,D,2), by the encoding, or without B; -inf forbids.
                Costs are computed in float64.
            y: (B,M,D) of 0 and 1, of any dtype, or (M,D).
            x_lengths: (B,) ints, the frames of each item, as tensor or sequence; None: all N. What lies
                behind is never read, and its gradient is 0.
            y_lengths: (B,) ints, and the targets.

        Returns:
            () or, with reduction "none", (B,), in the dtype of `log_probs`; under autocast float32 at least.
            It is differentiable twice in `log_probs`, `gamma` and `blank_penalty`. An item without a path is
            +inf; NaN stays in its item.

        Raises:
            TypeError: An argument is not of an accepted type.
            ValueError: Shapes do not fit the encoding, or on the CPU a length is out of range, a target is
                not 0 or 1, or under "ne2" is all off.
        """
        items = _as_items(log_probs, y, x_lengths, y_lengths, self.encoding)
        tensors, settings = self._asked(items)
        return self._loss(tensors, settings, unbatched=items.unbatched, dtype=dtype_of_loss(log_probs))

    @torch.no_grad()
    def align(
        self,
        log_probs: Tensor,
        y: Tensor,
        x_lengths: Lengths | None = None,
        y_lengths: Lengths | None = None,
    ) -> LabelAlignment:
        """Return what the loss teaches under its settings; `align_multi_label_ctc` says what that is.

        Args:
            log_probs: by the encoding, as all others as the loss takes them.
            y: (B,M,D) or (M,D).
            x_lengths: (B,) ints or None.
            y_lengths: (B,) ints or None.
        """
        items = _as_items(log_probs, y, x_lengths, y_lengths, self.encoding)
        tensors, settings = self._asked(items)
        backend = backend_of(self.backend, log_probs.device)
        return _lens(items, tensors, settings.snapshot(), self.encoding, backend)

    def extra_repr(self) -> str:
        """Return the settings, as the constructor takes them."""
        settings = [f"encoding={self.encoding!r}", f"gamma={shown(self.gamma)}"]
        penalty = shown(self.blank_penalty)
        settings += [] if penalty == "0" else [f"blank_penalty={penalty}"]
        settings += [] if self.blank_weight == 1 else [f"blank_weight={self.blank_weight:g}"]
        settings += ["free_between=True"] if self.free_between else []
        return ", ".join([*settings, *self._repr_of_reduction()])

    def _asked(self, items: "_Items") -> tuple[TensorsOfBatch, GraphSettings]:
        """Return the scores of blank and targets as classes, and settings."""
        settings = GraphSettings(
            0,
            as_softness(self.gamma),
            as_dtype(self.blank_penalty, torch.float64),
            self.blank_weight,
            self.free_between,
            None,
            False,
        )
        scores = _scores(items.log_probs, items.y, self.encoding)
        return (scores, _classes(items.y), items.x_lengths, items.y_lengths), settings


def align_multi_label_ctc(
    log_probs: Tensor,
    y: Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    encoding: Encoding = "we",
    gamma: float | Tensor = 1.0,
    blank_penalty: float | Tensor = 0.0,
    blank_weight: float | None = None,
    free_between: bool = False,
    backend: FrameSynchronousBackend | None = None,
) -> LabelAlignment:
    """Align frames with multi-hot targets by CTC: the modified targets of each category.

    h (B,N,A) is one weight for each frame and category, y_mod, of the shape of `log_probs`, what the category
    is taught there: the gradient of the loss in log_probs is -h y_mod, and in the logits of a softmax over
    the last axis h (softmax - y_mod). Under "we" h is 1 for the category of the blank and 1 - P(blank at n)
    for the others. H, E (B,N,2M+1) and visits (B,2M+1) are over blank, y_1, blank, ..., y_M, blank;
    `expanded` (B,2M+1,A,K) are these targets, 0 past the last of an item.

    Args:
        log_probs: As in `MultiLabelCTCLoss`, and so all others.
        y: (B,M,D) or (M,D).
        x_lengths: (B,) ints or None.
        y_lengths: (B,) ints or None.
        encoding: "we", "ne3" or "ne2".
        gamma: softness.
        blank_penalty: cost of each frame on a blank.
        blank_weight: factor of the blank's cost.
        free_between: True if needed blanks are entered free.
        backend: "core", "ops" or None.

    Returns:
        A `LabelAlignment`; its tensors carry no gradient and are those of the undivided items.

    Raises:
        TypeError: As in `MultiLabelCTCLoss`.
        ValueError: As in `MultiLabelCTCLoss`.
    """
    loss = MultiLabelCTCLoss(
        encoding,
        gamma,
        blank_penalty=blank_penalty,
        blank_weight=blank_weight,
        free_between=free_between,
        backend=backend,
    )
    return loss.align(log_probs, y, x_lengths, y_lengths)


class _Items(NamedTuple):
    log_probs: Tensor  # (B,N,A,K) of the dtype of results
    y: Tensor  # (B,M,D) 0 and 1 in float64 where the device has it, 0 in the padding
    x_lengths: Tensor  # (B,) int64
    y_lengths: Tensor
    unbatched: bool


def _as_items(
    log_probs: Tensor, y: Tensor, x_lengths: Lengths | None, y_lengths: Lengths | None, encoding: Encoding
) -> _Items:
    K = COMPONENTS[encoding]
    categories = "1+D" if encoding == "we" else "D"
    accepted = f'under "{encoding}" (items, frames, {categories}, {K}) is accepted, or without items'
    check_tensor("log_probs", log_probs, accepted, (3, 4))
    if not log_probs.dtype.is_floating_point:
        raise TypeError(f"log_probs: has dtype {log_probs.dtype}; floating point numbers are accepted")
    unbatched = log_probs.ndim == 3
    check_tensor("y", y, "(items, targets, pitches) or (targets, pitches) is accepted", (2, 3))
    shapes = f"log_probs has shape {tuple(log_probs.shape)}, y {tuple(y.shape)}"
    if (y.ndim == 2) != unbatched:
        raise ValueError(f"log_probs, y: {shapes}; both or neither have an axis of items")
    if y.device != log_probs.device:
        raise ValueError(f"y: is on {y.device}, log_probs on {log_probs.device}; one device is accepted")
    v, targets = (log_probs.unsqueeze(0), y.unsqueeze(0)) if unbatched else (log_probs, y)
    if 0 in v.shape or 0 in targets.shape:
        raise ValueError(f"log_probs, y: {shapes}; at least one of each is needed")
    if v.shape[2:] != (targets.shape[2] + (encoding == "we"), K):
        raise ValueError(f"log_probs, y: {shapes}; for D = {targets.shape[2]} pitches {accepted}")
    if len(v) != len(targets):
        raise ValueError(f"log_probs, y: {shapes}; the same number of items is accepted")
    frames = as_lengths("x_lengths", x_lengths, v, unbatched)
    counts = lengths_or_all(as_lengths("y_lengths", y_lengths, targets, unbatched), targets)
    exact = widest_dtype(v.device)
    within = inside(targets, counts)[:, :, None]
    targets = torch.where(within, targets.detach().to(exact), 0.0)
    if values_are_readable(targets) and values_are_readable(counts):
        _check_targets(targets, within, encoding, unbatched)
    v = as_dtype(v, dtype_of_results(v.dtype))
    return _Items(v, targets, lengths_or_all(frames, v), counts, unbatched)


def _check_targets(y: Tensor, within: Tensor, encoding: Encoding, unbatched: bool) -> None:
    wrong = (y != 0) & (y != 1)
    if wrong.any():
        index = tuple(wrong.nonzero()[0].tolist())
        value = y[index].item()
        index = index[1:] if unbatched else index
        raise ValueError(f"y: is {value:g} at index {index}; 0 and 1 are accepted")
    silent = within[:, :, 0] & ~y.any(2)
    if encoding == "ne2" and silent.any():
        item, target = silent.nonzero()[0].tolist()
        of = "" if unbatched else f" of item {item}"
        raise ValueError(
            f'y: target {target}{of} is all off, which under "ne2" equals the blank; '
            'leave it out, or take "we" or "ne3"'
        )


def _scores(log_probs: Tensor, y: Tensor, encoding: Encoding) -> Tensor:
    """Return <log p(n), w> of the blank and of each target, (B,N,1+M)."""
    v = log_probs.to(y.dtype)
    impossible = v.detach().isneginf()
    if values_are_readable(v) and not bool(impossible.any()):
        return _products(v, y, encoding)
    scores = _products(v.masked_fill(impossible, 0.0), y, encoding)
    counted = _products(impossible.to(y.dtype), y, encoding)
    return scores.masked_fill(counted > 0.5, -torch.inf)


def _products(v: Tensor, y: Tensor, encoding: Encoding) -> Tensor:
    """Return <v(n), w> of the blank and of each target for v (B,N,A,K), finite."""
    if encoding == "we":
        blank, always, off, on = v[:, :, 0, 1], v[:, :, 0, 0], v[:, :, 1:, 0], v[:, :, 1:, 1]
    else:
        off, on = v[..., -2], v[..., -1]
        blank, always = v[..., 0].sum(2), v.new_zeros(())
    silence = (always + off.sum(2))[:, :, None]
    targets = torch.baddbmm(silence, on - off, y.mT)  # (B,N,D) @ (B,D,M)
    return torch.cat([blank[:, :, None], targets], 2)


def _classes(y: Tensor) -> Tensor:
    """Return the class of each target, (B,M): equal targets in a row share that of the first, 1 and up."""
    places = torch.arange(1, y.shape[1] + 1, device=y.device)
    is_new = torch.ones(y.shape[:2], dtype=torch.bool, device=y.device)
    is_new[:, 1:] = (y[:, 1:] != y[:, :-1]).any(2)
    return torch.where(is_new, places, 0).cummax(1).values


def _lens(
    items: _Items,
    tensors: TensorsOfBatch,
    settings: GraphSettings,
    encoding: Encoding,
    backend: FrameSynchronousBackend,
) -> LabelAlignment:
    dtype = items.log_probs.dtype

    def compute(names: Sequence[str]) -> dict[str, Tensor]:
        if "H" in names:
            with torch.no_grad():
                found = results(tensors, settings, backend, ["H", "E"])
            return {name: found[name].to(dtype) for name in ("H", "E")}
        found = results(tensors, settings, backend, ["h", "y_mod", "durations", "entropy"])
        taught = _occupancy(found["y_mod"] * found["h"][:, :, None], items.y, encoding)
        h = taught.sum(3)
        y_mod = taught / h.masked_fill(h < LEAST_ROW_SUM, torch.inf)[..., None]
        visits = found["durations"]
        laid = {
            "value": found["value"],
            "h": h,
            "y_mod": y_mod,
            "entropy": found["entropy"],
            "visits": visits,
            "blank_share": visits[:, ::2].sum(1) / items.x_lengths,
            "expanded": _expanded(items.y, items.y_lengths, encoding),
        }
        return {name: result.to(dtype) for name, result in laid.items()}

    B, N, M = len(items.y), items.log_probs.shape[1], items.y.shape[1]
    sizes = f"N={N} M={M}" if items.unbatched else f"B={B} N={N} M={M}"
    return LabelAlignment(
        compute,
        [],  # H and E come from scores of our own
        items.x_lengths,
        items.y_lengths,
        describe=lambda: f"{sizes} cost=multi_label_ctc gamma={settings.gamma.item():g}",
        cost="multi_label_ctc",
        has_modified_targets=True,
        unbatched=items.unbatched,
    )


def _occupancy(classes: Tensor, y: Tensor, encoding: Encoding) -> Tensor:
    """Return sum of H w (B,N,A,K) from that of H over the columns of each class, (B,N,1+M)."""
    y = y.to(classes)
    blank, of_targets = classes[:, :, 0], classes[:, :, 1:]
    pitches = [of_targets @ (1 - y), of_targets @ y]  # off and on, (B,N,D)
    if encoding == "we":
        overall = torch.stack([of_targets.sum(2), blank], -1)
        return torch.cat([overall[:, :, None], torch.stack(pitches, -1)], 2)
    if encoding == "ne3":
        return torch.stack([blank[:, :, None].expand_as(pitches[0]), *pitches], -1)
    return torch.stack([pitches[0] + blank[:, :, None], pitches[1]], -1)


def _expanded(y: Tensor, y_lengths: Tensor, encoding: Encoding) -> Tensor:
    """Return w (B,2M+1,A,K) of blank, y_1, blank, ..., blank; 0 past the last."""
    B, M, _ = y.shape
    classes = torch.zeros((B, 2 * M + 1, 1 + M), dtype=y.dtype, device=y.device)
    classes[:, ::2, 0] = 1
    classes[:, 1::2, 1:] = torch.eye(M, dtype=y.dtype, device=y.device)
    within = inside(classes, 2 * y_lengths + 1)[:, :, None]
    return _occupancy(torch.where(within, classes, 0.0), y, encoding)
