"""The forward sum of text-to-speech aligners as a loss, and its lens."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from warplens._numbers import as_number, is_number
from warplens.torch.frame_synchronous.alignments import LabelAlignment
from warplens.torch.frame_synchronous.batches import GraphSettings, TensorsOfBatch
from warplens.torch.frame_synchronous.beta_binomial import beta_binomial_priors
from warplens.torch.frame_synchronous.blanks import as_softness
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
)
from warplens.torch.inputs.settings import Normalize, Reduction
from warplens.torch.inputs.torch_private import shown

NOTHING_BESIDE = 60.0
"""So far below another a score adds nothing to a sum of exponentials, and yet is no denormal number there."""
NamedPrior: TypeAlias = Literal["beta-binomial"]


class ForwardSumLoss(BatchFirstLoss):
    r"""Forward sum: each frame belongs to one token of a text, and every token has frames, in order.

    With C(n,m) = -log p(n,m) - log prior(n,m) and min_g(S) = -g log sum_{s in S} exp(-s/g),

        D(n,m) = C(n,m) + min_g { D(n-1,m), D(n-1,m-1) },    D(0,0) = 0, D(n,0) = D(0,m) = inf,

    and the loss of an item is D(N,M): at gamma = 1 the negative logarithm of the sum over all monotonic
    alignments of the product of their probabilities. Its gradient in log p is -H.

    With `blank_logprob` it is the loss of the published codes: a blank of that score, -1 there, stands beside
    the M tokens of an item, rows are normalised again, and the loss is a CTC over the tokens as M distinct
    labels. Their mean divides each item by its number of tokens: `normalize="y_length"`.

    `gamma` is a float64 buffer, or a parameter if given as an `nn.Parameter`; no cast of the module rounds
    it.

    Args:
        gamma: softness, in nats, greater than 0.
        blank_logprob: None, or the score of the blank.
        prior: "beta-binomial" adds the prior of `warplens.beta_binomial_prior` for the lengths of each item:
            it favours the diagonal. None adds none; `forward` takes any other.
        prior_scaling: of the beta-binomial prior; the larger, the narrower.
        proper_prior: take M - 1 trials, so that the prior's rows sum to 1, and not M as published.
        reduction: "none", "mean" (plain mean over items) or "sum".
        normalize: divide each item first by "x_length", its frames, "y_length", its tokens, or "both";
            "none" does not.
        zero_infinity: count an item without a path, with fewer frames than tokens, as 0 instead of +inf; its
            gradient is 0 either way.
        backend: "core", "ops" or None, as in `CTCLoss`.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: An argument is out of range; the message names it.

    Example:
        >>> loss_fn = ForwardSumLoss(blank_logprob=-1.0, prior="beta-binomial", normalize="y_length")
        >>> attention = torch.randn(4, 90, 20, requires_grad=True)
        >>> loss_fn(attention.log_softmax(2), (90, 80, 70, 60), (20, 18, 20, 11)).backward()

    Source: K. Shih et al., RAD-TTS, INNF+ workshop at ICML 2021; R. Badlani et al., One TTS alignment to rule
    them all, ICASSP 2022.
    """

    def __init__(
        self,
        gamma: float | Tensor = 1.0,
        *,
        blank_logprob: float | None = None,
        prior: NamedPrior | None = None,
        prior_scaling: float = 1.0,
        proper_prior: bool = False,
        reduction: Reduction = "mean",
        normalize: Normalize = "none",
        zero_infinity: bool = False,
        backend: FrameSynchronousBackend | None = None,
    ) -> None:
        super().__init__(reduction, normalize, zero_infinity, backend)
        if blank_logprob is not None and not (is_number(blank_logprob) and math.isfinite(blank_logprob)):
            raise ValueError(f"blank_logprob: is {blank_logprob!r}; None or a finite number is accepted")
        if prior not in (None, "beta-binomial"):
            raise ValueError(
                f'prior: is {prior!r}; None or "beta-binomial" is accepted, and a tensor by the call'
            )
        self.blank_logprob = None if blank_logprob is None else float(blank_logprob)
        self.prior = prior
        self.prior_scaling = as_number("prior_scaling", prior_scaling, above_zero=True)
        self.proper_prior = proper_prior
        self._register("gamma", gamma, as_softness(gamma))
        self.keep_settings(gamma=gamma)

    def forward(
        self,
        log_probs: Tensor,
        x_lengths: Lengths | None = None,
        y_lengths: Lengths | None = None,
        *,
        prior: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of an item or a batch.

        Args:
            log_probs: (B,N,M) log-probabilities of token m at frame n, or (N,M); -inf forbids. float64 is
                computed in float64; float32, float16 and bfloat16 in float32. Without prior and blank they
                are read in place.
            x_lengths: (B,) ints, the frames of each item, as tensor or sequence; None: all N. What lies
                behind is never read, and its gradient is 0.
            y_lengths: (B,) ints, and the tokens.
            prior: (N,M) or (B,N,M) log-probabilities that are added; may require grad.

        Returns:
            () or, with reduction "none", (B,), in the dtype of `log_probs`; under autocast float32 at least.
            It is differentiable twice in `log_probs`, `prior` and `gamma`. An item without a path is +inf;
            NaN stays in its item.

        Raises:
            TypeError: An argument is not of an accepted type.
            ValueError: Shapes do not fit, or on the CPU a length is out of range.
        """
        tensors, settings = self._asked(_as_items(log_probs, x_lengths, y_lengths), prior)
        return self._loss(tensors, settings, unbatched=log_probs.ndim == 2, dtype=dtype_of_loss(log_probs))

    @torch.no_grad()
    def align(
        self,
        log_probs: Tensor,
        x_lengths: Lengths | None = None,
        y_lengths: Lengths | None = None,
        *,
        prior: Tensor | None = None,
    ) -> LabelAlignment:
        """Return what the loss teaches under its settings; `align_forward_sum` says what that is.

        Args:
            log_probs: (B,N,M) or (N,M), as all others as the loss takes them.
            x_lengths: (B,) ints or None.
            y_lengths: (B,) ints or None.
            prior: (N,M) or (B,N,M) log-probabilities that are added, or None.
        """
        tensors, settings = self._asked(_as_items(log_probs, x_lengths, y_lengths), prior)
        return _lens(
            tensors, settings.snapshot(), backend_of(self.backend, log_probs.device), log_probs.ndim == 2
        )

    def extra_repr(self) -> str:
        """Return the settings, as the constructor takes them."""
        settings = [f"gamma={shown(self.gamma)}"]
        if self.blank_logprob is not None:
            settings.append(f"blank_logprob={self.blank_logprob:g}")
        if self.prior is not None:
            settings += [f"prior={self.prior!r}", f"prior_scaling={self.prior_scaling:g}"]
            settings += ["proper_prior=True"] if self.proper_prior else []
        return ", ".join([*settings, *self._repr_of_reduction()])

    def _asked(self, items: "_Items", prior: Tensor | None) -> tuple[TensorsOfBatch, GraphSettings]:
        """Return scores of classes, with the prior and beside the blank where asked for, and settings."""
        scores = items.scores
        lengths = lengths_or_all(items.x_lengths, scores), lengths_or_all(items.y_lengths, scores.mT)
        if self.prior is not None:
            if prior is not None:
                raise ValueError(
                    f"prior: is given, but the loss adds prior={self.prior!r} already; give one of them"
                )
            made = beta_binomial_priors(
                *lengths, *scores.shape[1:], scaling=self.prior_scaling, proper=self.proper_prior
            )
            scores = scores + made.to(scores.dtype)
        elif prior is not None:
            scores = scores + _as_prior(prior, scores)
        gamma = as_softness(self.gamma)
        if self.blank_logprob is None:
            return (scores, None, *lengths), GraphSettings.plain(None, gamma)
        scores = functional.pad(scores, (1, 0), value=self.blank_logprob)
        if items.y_lengths is not None:
            is_token = inside(scores.mT, items.y_lengths + 1)  # the blank counts
            scores = scores.masked_fill(~is_token[:, None], self.blank_logprob - NOTHING_BESIDE)
        tokens = torch.arange(1, scores.shape[2], device=scores.device).expand(len(scores), -1)
        return (scores, tokens, *lengths), GraphSettings.plain(0, gamma, from_logits=True)


def align_forward_sum(
    log_probs: Tensor,
    x_lengths: Lengths | None = None,
    y_lengths: Lengths | None = None,
    *,
    gamma: float | Tensor = 1.0,
    prior: Tensor | NamedPrior | None = None,
    prior_scaling: float = 1.0,
    proper_prior: bool = False,
    blank_logprob: float | None = None,
    backend: FrameSynchronousBackend | None = None,
) -> LabelAlignment:
    """Align frames with the tokens of a text by the forward sum.

    H = E (B,N,M) is the probability that a frame belongs to a token, and y_mod = H: rows sum to 1, and
    `visits`, the expected duration of each token, is 1 or more. With a blank, y_mod (B,N,1+M) is the
    occupancy of the blank and of each token, and H, E and visits are over the expanded targets blank, 1,
    blank, ..., M, blank. `expanded` names the columns, -1 past the last of an item.

    Args:
        log_probs: As in `ForwardSumLoss`, and so all others.
        x_lengths: (B,) ints or None.
        y_lengths: (B,) ints or None.
        gamma: softness.
        prior: (N,M) or (B,N,M), or "beta-binomial".
        prior_scaling: of the beta-binomial prior.
        proper_prior: True for M - 1 trials.
        blank_logprob: the score of the blank, or None.
        backend: "core", "ops" or None.

    Returns:
        A `LabelAlignment`; its tensors carry no gradient and are those of the undivided items.

    Raises:
        TypeError: As in `ForwardSumLoss`.
        ValueError: As in `ForwardSumLoss`.
    """
    named = None if isinstance(prior, Tensor) else prior
    loss = ForwardSumLoss(
        gamma,
        blank_logprob=blank_logprob,
        prior=named,
        prior_scaling=prior_scaling,
        proper_prior=proper_prior,
        backend=backend,
    )
    return loss.align(log_probs, x_lengths, y_lengths, prior=prior if isinstance(prior, Tensor) else None)


class _Items(NamedTuple):
    scores: Tensor  # (B,N,M)
    x_lengths: Tensor | None  # (B,) int64 on their device; None where nothing is padded
    y_lengths: Tensor | None


def _as_items(log_probs: Tensor, x_lengths: Lengths | None, y_lengths: Lengths | None) -> _Items:
    check_tensor("log_probs", log_probs, "(items, frames, tokens) or (frames, tokens) is accepted")
    if not log_probs.dtype.is_floating_point:
        raise TypeError(f"log_probs: has dtype {log_probs.dtype}; floating point numbers are accepted")
    if 0 in log_probs.shape:
        raise ValueError(
            f"log_probs: has shape {tuple(log_probs.shape)}; at least one item, frame and token are needed"
        )
    unbatched = log_probs.ndim == 2
    scores = as_dtype(log_probs.unsqueeze(0) if unbatched else log_probs, dtype_of_results(log_probs.dtype))
    return _Items(
        scores,
        as_lengths("x_lengths", x_lengths, scores, unbatched),
        as_lengths("y_lengths", y_lengths, scores.mT, unbatched),
    )


def _as_prior(prior: Tensor, scores: Tensor) -> Tensor:
    check_tensor("prior", prior, "(N,M) or (B,N,M) is accepted")
    if prior.shape not in (scores.shape, scores.shape[1:]):
        raise ValueError(
            f"prior: has shape {tuple(prior.shape)}; (N,M) = {tuple(scores.shape[1:])} or (B,N,M) = "
            f"{tuple(scores.shape)} is accepted"
        )
    if prior.device != scores.device:
        raise ValueError(f"prior: is on {prior.device}, log_probs on {scores.device}; one device is accepted")
    return as_dtype(prior, scores.dtype)


def _lens(
    tensors: TensorsOfBatch,
    settings: GraphSettings,
    backend: FrameSynchronousBackend,
    unbatched: bool,
) -> LabelAlignment:
    scores, labels, x_lengths, y_lengths = tensors
    dtype = scores.dtype
    has_blank = labels is not None

    def compute(names: Sequence[str]) -> dict[str, Tensor]:
        if has_blank and "H" in names:
            with torch.no_grad():
                found = results(tensors, settings, backend, ["H", "E"])
            return {name: found[name].to(dtype) for name in ("H", "E")}
        found = results(tensors, settings, backend, ["h", "y_mod", "durations", "entropy"])
        found["visits"] = found.pop("durations")
        if has_blank:
            found["blank_share"] = found["visits"][:, ::2].sum(1) / x_lengths
        else:
            found["H"] = found["E"] = found["y_mod"]  # for h is 1, or 0 with all else
        laid = {name: result.to(dtype) for name, result in found.items()}
        return {**laid, "expanded": _expanded(y_lengths, laid["visits"].shape[1], has_blank)}

    B, N, M = len(scores), scores.shape[1], scores.shape[2] - has_blank
    sizes = f"N={N} M={M}" if unbatched else f"B={B} N={N} M={M}"
    return LabelAlignment(
        compute,
        [],  # H and E are there, or come from scores of our own
        x_lengths,
        y_lengths,
        describe=lambda: f"{sizes} cost=forward_sum gamma={settings.gamma.item():g}",
        cost="forward_sum",
        has_modified_targets=True,
        unbatched=unbatched,
    )


def _expanded(y_lengths: Tensor, columns: int, has_blank: bool) -> Tensor:
    """Return the class of each column (B,columns), -1 past the last."""
    places = torch.arange(columns, device=y_lengths.device)
    classes = torch.where(places % 2 == 1, (places + 1) // 2, 0) if has_blank else places
    count = 2 * y_lengths + 1 if has_blank else y_lengths
    return torch.where(places < count[:, None], classes, -1)
