"""One alignment of an item by any loss of the family, in the form that measures and pictures need."""

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

import warplens as wl
from warplens._alignment import Alignment
from warplens.analysis.losses.options import Loss
from warplens.io import AnyItem, Floats, Item, ItemError, LabelItem

LEAST_PRESENCE = 0.05
"""Frames that lie on a target with less than this probability are called not taught."""


@dataclass(frozen=True)
class LossAlignment:
    """Soft alignment and modified targets of one item under a loss.

    Attributes:
        value: the loss.
        entropy: of the distribution of paths, in nats.
        H: dvalue/dC, (N, M), over the columns of the targets: under CTC the 2L+1 expanded ones.
        rows: H~ (N, M), rows that sum to 1 over the columns that teach, or to 0.
        h: weight of each frame in the gradient, (N,).
        presence: probability that a frame lies on a column that teaches, at most 1, (N,): min(h, 1) where
            steps have the weight 1.
        y_mod: modified targets, (N, D), over the classes of `TargetColumns`.
        blank_share: expected share of frames on a blank, NaN where there is none.
    """

    value: float
    entropy: float
    H: Floats
    rows: Floats
    h: Floats
    presence: Floats
    y_mod: Floats
    blank_share: float


class Shown(NamedTuple):
    """Results of an alignment, as arrays; y_mod (N, A, C) and h (N, A) where targets are multi-hot."""

    value: float
    entropy: float
    H: Floats
    E: Floats
    h: Floats
    y_mod: Floats

    @classmethod
    def of(cls, aligned: Alignment) -> Self:
        """Read them off an alignment."""
        return cls(aligned.value, aligned.entropy, aligned.H, aligned.E, aligned.h, aligned.y_mod)


def loss_alignment(shown: Shown, loss: Loss) -> LossAlignment:
    """Return what an alignment by a loss teaches; y_mod is over the classes that are wanted."""
    H, E, h, y_mod = shown.H, shown.E, shown.h, shown.y_mod
    share = float("nan")
    blanks = np.arange(H.shape[1]) % 2 == 0
    if loss.has_blank:
        share = float(E[:, blanks].sum(dtype=np.float64) / len(E))
    teaching = np.ones(H.shape[1])
    if loss.kind == "multi-hot":
        # Under "we" a frame on a blank teaches the overall category alone, not the pitches.
        first = 1 if (loss.encoding or "we") == "we" else 0
        teaching = np.where(blanks & (first == 1), 0.0, 1.0)
        h, y_mod = h[:, first], y_mod[:, first:, -1]
    taught = np.asarray(H * teaching, np.float64)
    sums = taught.sum(axis=1, keepdims=True)
    rows = taught / np.where(sums < _LEAST_ROW_SUM, np.inf, sums)
    presence = np.minimum((E * teaching).sum(axis=1, dtype=np.float64), 1.0)
    return LossAlignment(shown.value, shown.entropy, H, rows, h, presence, y_mod, share)


def align_item(
    item: AnyItem,
    loss: Loss,
    *,
    gamma: float,
    classes: NDArray[np.int64],
    cost: str | None = None,
    step_weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> LossAlignment:
    """Align an item by a loss.

    Args:
        item: of the kind that the loss needs.
        loss: any but "sdtw".
        gamma: softness.
        classes: those over which Y_mod is wanted, (D,); of targets of features all.
        cost: local cost, where the loss takes one.
        step_weights: where the loss takes them.

    Raises:
        ValueError: as the function of `warplens` that computes the loss.
        ItemError: the item lacks what an option asks for, or its scores are no log-probabilities.
    """
    with warnings.catch_warnings():
        # `rows_warning` tells it of the item.
        warnings.filterwarnings("ignore", message="log_probs: row", category=UserWarning)
        if isinstance(item, Item):
            return _of_features(item, loss, gamma, cost or "", step_weights)
        if loss.kind == "multi-hot":
            return _multi_label(item, loss, gamma, step_weights)
        return _of_classes(item, loss, gamma, step_weights, classes)


def scores_of(item: LabelItem, loss: Loss) -> Floats:
    """Return the log-probabilities of an item, (N, K) or (N, A, C).

    Raises:
        ItemError: they are above 0, as probabilities and logits are.
    """
    scores = item.log_probs
    if loss.from_logits:
        return log_softmax(scores)
    most = float(scores.max())
    if most > _ROUNDING:
        index = tuple(int(i) for i in np.unravel_index(int(scores.argmax()), scores.shape))
        raise ItemError(
            f"'log_probs' is {most:.4g} at index {index}: log-probabilities are at most 0. Store the log of "
            "probabilities, or let the log-softmax of logits be taken (--from-logits)"
        )
    return scores


def log_softmax(scores: Floats) -> Floats:
    """Return scores less the log of the sum of their exponentials, over the last axis."""
    top = scores.max(axis=-1, keepdims=True)
    return np.asarray(scores - top - np.log(np.exp(scores - top).sum(axis=-1, keepdims=True)))


def rows_warning(item: AnyItem, loss: Loss) -> str | None:
    """Say that rows of log-probabilities do not sum to 1, and what follows; None where they do."""
    if isinstance(item, Item) or loss.from_logits or loss.kind == "tokens":
        return None
    top = np.maximum(item.log_probs.max(axis=-1, keepdims=True), -1e30)
    sums = np.log(np.exp(item.log_probs - top).sum(axis=-1, dtype=np.float64)) + top[..., 0]
    worst = float(sums.flat[int(np.abs(sums).argmax())])
    if abs(worst) <= _LARGEST_EXCESS:
        return None
    return (
        f"rows of its log-probabilities sum to exp({worst:.3g}) and not to 1: the value is no -log P, and "
        "the gradient in logits not softmax - Y_mod"
    )


_ROUNDING = 1e-4
_LARGEST_EXCESS = 1e-3


def _of_classes(
    item: LabelItem,
    loss: Loss,
    gamma: float,
    step_weights: tuple[float, float, float],
    classes: NDArray[np.int64],
) -> LossAlignment:
    scores = scores_of(item, loss)
    if loss.name == "ctc":
        assert item.labels is not None
        aligned = wl.ctc(
            scores,
            item.labels,
            blank=loss.blank or 0,
            gamma=gamma,
            step_weights=step_weights,
            **_blank_options(loss),
            log_priors=_log_priors(item, loss),
            prior_scale=1.0 if loss.prior_scale is None else loss.prior_scale,
        )
    else:
        aligned = wl.forward_sum(
            scores, gamma=gamma, prior=_prior(item, loss), blank_logprob=loss.blank_logprob
        )
    shown = Shown.of(aligned)
    return loss_alignment(shown._replace(y_mod=shown.y_mod[:, classes]), loss)


def _multi_label(
    item: LabelItem, loss: Loss, gamma: float, step_weights: tuple[float, float, float]
) -> LossAlignment:
    assert item.weak is not None
    aligned = wl.multi_label_ctc(
        scores_of(item, loss),
        item.weak,
        encoding=loss.encoding or "we",
        gamma=gamma,
        step_weights=step_weights,
        **_blank_options(loss),
    )
    return loss_alignment(Shown.of(aligned), loss)


def _of_features(
    item: Item, loss: Loss, gamma: float, cost: str, step_weights: tuple[float, float, float]
) -> LossAlignment:
    if loss.name == "drop":
        assert loss.drop is not None
        aligned: Alignment = wl.drop_dtw(
            item.predictions,
            item.weak,
            loss.drop,
            cost=cost,
            gamma=gamma,
            contiguous=loss.contiguous is not False,
            many_to_one=bool(loss.many_to_one),
        )
    else:
        begin, end = (side or "y" for side in (loss.open_begin, loss.open_end))
        aligned = wl.align(
            item.predictions,
            item.weak,
            cost=cost,
            gamma=gamma,
            step_weights=step_weights,
            open_begin=None if begin == "none" else begin,
            open_end=None if end == "none" else end,
            skip_penalty=loss.skip_penalty or (0.0, 0.0),
            threads=1,
        )
    return loss_alignment(Shown.of(aligned), loss)


_LEAST_ROW_SUM = 1e-20


def _blank_options(loss: Loss) -> dict[str, Any]:
    return {
        "blank_penalty": 0.0 if loss.blank_penalty is None else loss.blank_penalty,
        "blank_weight": loss.blank_weight,
        "free_between": bool(loss.free_between),
    }


def _log_priors(item: LabelItem, loss: Loss) -> NDArray[np.float64] | None:
    if loss.log_priors is None:
        return None
    if loss.log_priors == "item":
        if item.log_priors is None:
            raise ItemError("missing array 'log_priors', which --log-priors item asks for")
        return item.log_priors
    return np.array(loss.log_priors, np.float64)


def _prior(item: LabelItem, loss: Loss) -> NDArray[Any] | None:
    if loss.prior == "item":
        if item.prior is None:
            raise ItemError("missing array 'prior', which --prior item asks for")
        return item.prior
    if loss.prior != "beta-binomial":
        return None
    prior = wl.beta_binomial_prior(
        *item.log_probs.shape, scaling=loss.prior_scaling or 1.0, trials=loss.prior_trials
    )
    return prior.astype(item.log_probs.dtype)
