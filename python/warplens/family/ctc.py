"""Connectionist temporal classification (CTC) and the forward sum, with the lens of every alignment."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens._core import NoPathError
from warplens._numbers import as_count, as_number, is_number
from warplens._sequences import as_real_array
from warplens._settings import AlignmentSettings, check_gamma
from warplens._step_weights import UNIT_WEIGHTS
from warplens.family.alignment import ModelAlignment
from warplens.family.frame_synchronous import LabelSource
from warplens.family.label_graph import BlankSettings, expanded_labels, label_model
from warplens.family.model import Model
from warplens.family.sources import ClassSource
from warplens.family.steps import Step

LARGEST_EXCESS = 1e-3
"""The most that the logarithm of a row's sum may differ from 0 before a warning."""


_AT_ONCE = 1 << 16
"""Scores that are looked at together."""


class ClassAlignment(ModelAlignment):
    """The alignment of scores (N,K) with a sequence of classes: y_mod (N,K) is the frame occupancy.

    x_grad (N,K) is dvalue/dscores = -h(n) y_mod. Under log-probabilities of a softmax with h = 1, as in CTC,
    the gradient in its logits is softmax - y_mod.
    """

    def __init__(self, model: Model, source: LabelSource, *, name: str) -> None:
        settings = AlignmentSettings.of(cost="mse", gamma=model.gamma, step_weights=UNIT_WEIGHTS)
        scores = source.classes.scores
        # What one sweep of the general kernel yields together; of the other a second sweep takes less time
        # than arrays of (N,K) that no one asks for.
        outputs = ["h"] if source.goes_by_kernel(model) else ["h", "x_grad", "y_mod"]
        super().__init__(model, source, settings=settings, outputs=outputs, x=scores)
        self._name = name
        self._targets = source.classes.targets

    @property
    def cost(self) -> str:
        """The name of the loss."""
        return self._name

    @property
    def shape(self) -> tuple[int, int]:
        """(N, M), where M is 2L+1 under CTC."""
        assert self._x is not None
        return len(self._x), len(self._targets)

    @property
    def expanded(self) -> NDArray[np.int64]:
        """The class of each column of H and E, (M,); under CTC blank, l_1, blank, ..., l_L, blank."""
        return self._targets

    @property
    def y_grad(self) -> NDArray[Any]:
        """Not there.

        Raises:
            ValueError: always, for targets are classes.
        """
        raise ValueError("y_grad: the targets are classes, which have no gradient")


def ctc(
    log_probs: ArrayLike,
    labels: ArrayLike,
    *,
    blank: int = 0,
    gamma: float = 1.0,
    step_weights: Sequence[float] = UNIT_WEIGHTS,
    blank_penalty: float = 0.0,
    blank_weight: float | None = None,
    free_between: bool = False,
    log_priors: ArrayLike | None = None,
    prior_scale: float = 1.0,
) -> ClassAlignment:
    r"""Align frames with labels by connectionist temporal classification (Graves et al. 2006).

    Columns m are the expanded targets z = blank, l_1, blank, ..., l_L, blank, and C(n,m) = -log p(n, z_m):

    .. math::
        D(n,m) = C(n,m) + \min_\gamma\{ D(n-1,m),\; D(n-1,m-1),\; D(n-1,m-2) \},

    the last only where z_m is a label that differs from z_(m-2). A path begins at the first blank or label
    and ends at the last; at gamma 1 the value is -log P(labels). The occupancy y_mod(n,k) = sum of H over the
    columns of class k is what each frame is taught: with h(n) = 1 the gradient in the logits is
    softmax - y_mod.

    Args:
        log_probs: (N,K) log-probabilities, float32 or float64; -inf forbids a class at a frame.
        labels: (L,) classes, whole numbers; may be empty.
        blank: the class of the blank.
        gamma: softness; 0 is the most probable alignment alone.
        step_weights: of the steps (1,0), (1,1), (1,2): factors on the cost of the cell they arrive at.
        blank_penalty: added for every frame on a blank, in units of -log p; inf leaves the needed blanks
            alone.
        blank_weight: a factor on the cost of blanks in place of the step weights (2: CTC-B of Zeitler &
            Mueller 2026).
        free_between: blanks between equal labels are not made dearer by penalty or weight; CTC-A, -B are
            blank_weight 1, 2 and CTC-C is blank_penalty inf, each with True. CTC-C may begin on one free
            blank.
        log_priors: (K,) log priors of the classes, constants: C = -log p + prior_scale log prior.
        prior_scale: see `log_priors`.

    Returns:
        An alignment with value and h (N,) computed; y_mod (N,K) and x_grad (N,K), and over the expanded
        targets, which `.expanded` names, H, E (N,2L+1) and visits (2L+1,), on first access; `.path()` is the
        forced alignment.

    Raises:
        NoPathError: fewer frames than labels need, with the shortest possible T, or every path has
            probability 0.
        ValueError: labels outside the classes or equal to the blank, NaN or +inf in log_probs, settings out
            of range.

    Warns:
        UserWarning: rows of log_probs are not normalised.

    Example:
        >>> log_probs = np.log(np.full((4, 3), 1 / 3))
        >>> spoken = wl.ctc(log_probs, [1, 2])
        >>> spoken.expanded.tolist()
        [0, 1, 0, 2, 0]
        >>> spoken.y_mod.sum(axis=1).round(6)  # each frame is taught one distribution over the classes
        array([1., 1., 1., 1.])
    """
    scores = as_scores("log_probs", log_probs)
    classes = as_labels(labels, scores.shape[1], blank)
    blanks = BlankSettings.of(
        step_weights=step_weights,
        blank_penalty=blank_penalty,
        blank_weight=blank_weight,
        free_between=free_between,
    )
    offsets = _offsets(log_priors, prior_scale, scores.shape[1])
    warn_of_rows("log_probs", scores)
    return _of_labels(scores, classes, int(blank), gamma, blanks, offsets, "ctc")


def _of_labels(
    scores: NDArray[Any],
    labels: NDArray[np.int64],
    blank: int,
    gamma: float,
    blanks: BlankSettings,
    offsets: NDArray[np.float64] | None,
    name: str,
) -> ClassAlignment:
    repeats = np.concatenate([[False], labels[1:] == labels[:-1]])[: len(labels)]
    expanded = expanded_labels(labels, blank)
    model = label_model(repeats, len(scores), gamma, blanks)
    source = LabelSource(ClassSource(scores, expanded, offsets), blank, blanks)
    return ClassAlignment(model, source, name=name)


class NormalisedForwardSum(ClassAlignment):
    """The forward sum with a blank: a CTC over M distinct labels, rows normalised again, the blank first.

    y_mod (N,1+M) is the occupancy of the blank and of each token; x_grad (N,M) is the gradient in the
    log-probabilities that were given, through the second softmax.
    """

    @property
    def x_grad(self) -> NDArray[Any]:
        """dvalue/dlog_probs (N,M) = h(n) softmax - occupancy, without the blank."""
        if "token_grad" not in self._results:
            assert self._x is not None
            softmax = np.exp(self._x.astype(np.float64)) * self.h[:, np.newaxis]
            self._keep("token_grad", (softmax + super().x_grad)[:, 1:].astype(self._x.dtype))
        return self._array("token_grad")


def forward_sum(
    log_probs: ArrayLike,
    *,
    gamma: float = 1.0,
    prior: ArrayLike | None = None,
    blank_logprob: float | None = None,
) -> ClassAlignment:
    r"""Align each frame with one token of a text, and every token in order (Shih et al. 2021).

    .. math::
        D(n,m) = -\log p(n,m) - \log \mathrm{prior}(n,m) + \min_\gamma\{ D(n-1,m),\; D(n-1,m-1) \}

    from the first token to the last. Every row of E sums to 1, every column to 1 or more.

    Args:
        log_probs: (N,M) log-probabilities of token m at frame n; -inf forbids a cell.
        gamma: softness; 0 is the most probable alignment alone.
        prior: (N,M) log-probabilities that are added, those of `beta_binomial_prior`.
        blank_logprob: None, or as in NeMo and RAD-TTS (-1) the score of a blank beside log_probs + prior,
            rows then being normalised again: their code, a CTC over M distinct labels.

    Returns:
        An alignment with H and E (N,M) over the tokens, y_mod = H~; with a blank over the 2M+1 expanded
        targets.

    Raises:
        NoPathError: fewer frames than tokens, or every path is forbidden.
        ValueError: NaN or +inf, shapes that differ.
    """
    scores = as_scores("log_probs", log_probs)
    frames, tokens = scores.shape
    if prior is not None:
        added = as_scores("prior", prior)
        if added.shape != scores.shape:
            raise ValueError(
                f"prior: has shape {added.shape}; that of log_probs, {scores.shape}, is accepted"
            )
        scores = scores + added
    if frames < tokens:
        raise NoPathError(
            f"no path: T = {frames} frames are fewer than {tokens} tokens; "
            f"the shortest possible T is {tokens}"
        )
    if blank_logprob is None:
        model = Model.of((frames, tokens), gamma=check_gamma(gamma), steps=[Step(1, 0), Step(1, 1)])
        source = LabelSource(ClassSource(scores, np.arange(tokens), None), blank=None)
        return ClassAlignment(model, source, name="forward_sum")
    if not is_number(blank_logprob) or not math.isfinite(blank_logprob):
        raise ValueError(f"blank_logprob: is {blank_logprob!r}; None or a finite number is accepted")
    scores = _log_softmax(np.concatenate([np.full((frames, 1), blank_logprob, scores.dtype), scores], axis=1))
    model = label_model(np.zeros(tokens, bool), frames, gamma)
    source = LabelSource(ClassSource(scores, expanded_labels(np.arange(1, tokens + 1), 0), None), blank=0)
    return NormalisedForwardSum(model, source, name="forward_sum")


def as_scores(name: str, values: ArrayLike) -> NDArray[Any]:
    """Check for (N,K) numbers below +inf, N, K >= 1; dtypes but float32 become float64."""
    array = as_real_array(name, values)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name}: has shape {array.shape}; (N,K) with N, K >= 1 is accepted")
    dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    array = np.require(array, dtype, ["C", "A"])
    check_below_inf(name, array)
    return array


def check_below_inf(name: str, scores: NDArray[Any]) -> None:
    """Refuse NaN and +inf."""
    if scores.max() < np.inf:  # of a NaN the maximum is NaN
        return
    index = tuple(int(i) for i in np.argwhere(~(scores < np.inf))[0])
    raise ValueError(f"{name}: is {scores[index]} at index {index}; finite numbers and -inf are accepted")


def as_labels(labels: ArrayLike, classes: int, blank: int) -> NDArray[np.int64]:
    """Check labels (L,) against K classes and the blank."""
    if as_count("blank", blank, least=0) >= classes:
        raise ValueError(f"blank: is {blank}; a class from 0 to {classes - 1} is accepted")
    array = np.asarray(labels)
    if array.ndim != 1:
        raise ValueError(f"labels: has shape {array.shape}; (L,) is accepted")
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"labels: has dtype {array.dtype}; whole numbers are accepted")
    for refused, accepted in (
        ((array < 0) | (array >= classes), f"classes from 0 to {classes - 1} are accepted"),
        (array == blank, "labels that differ from the blank are accepted"),
    ):
        if refused.any():
            index = int(np.flatnonzero(refused)[0])
            raise ValueError(f"labels: is {array[index]} at index {index}; {accepted}")
    return array.astype(np.int64)


def warn_of_rows(name: str, scores: NDArray[Any]) -> None:
    """Warn where the classes of a row (last axis) do not sum to a probability of 1."""
    if _are_normalised(scores.reshape(-1, scores.shape[-1])):
        return
    top = np.maximum(scores.max(axis=-1, keepdims=True), -1e30)
    sums = np.log(np.exp(scores - top).sum(axis=-1, dtype=np.float64)) + top[..., 0]
    excess = np.abs(sums)
    if not excess.max() > LARGEST_EXCESS:
        return
    index = tuple(int(i) for i in np.unravel_index(int(excess.argmax()), excess.shape))
    warnings.warn(
        f"{name}: row {index if len(index) > 1 else index[0]} sums to exp({sums[index]:.3g}), not to 1: "
        "the value is no -log P and the gradient in logits not softmax - y_mod; give log_softmax of logits",
        UserWarning,
        stacklevel=3,
    )


def _are_normalised(rows: NDArray[Any]) -> bool:
    """Tell if every row is surely normalised, some rows at a time that stay in the caches."""
    least, most = math.exp(-LARGEST_EXCESS), math.exp(LARGEST_EXCESS)
    count = max(1, _AT_ONCE // rows.shape[1])
    room = np.empty_like(rows[:count])
    with np.errstate(over="ignore"):
        for start in range(0, len(rows), count):
            some = rows[start : start + count]
            sums = np.exp(some, out=room[: len(some)]).sum(axis=1)
            if not (sums.min() > least and sums.max() < most):
                return False
    return True


def _offsets(log_priors: ArrayLike | None, prior_scale: float, classes: int) -> NDArray[np.float64] | None:
    scale = as_number("prior_scale", prior_scale)
    if log_priors is None:
        return None
    priors = as_real_array("log_priors", log_priors).astype(np.float64)
    if priors.shape != (classes,):
        raise ValueError(
            f"log_priors: has shape {priors.shape}; one for each class, ({classes},), is accepted"
        )
    if not np.isfinite(priors).all():
        index = int(np.flatnonzero(~np.isfinite(priors))[0])
        raise ValueError(f"log_priors: is {priors[index]} at index {index}; finite numbers are accepted")
    return scale * priors


def _log_softmax(scores: NDArray[Any]) -> NDArray[Any]:
    top = scores.max(axis=1, keepdims=True)
    sums: NDArray[Any] = np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    normalised: NDArray[Any] = scores - top - sums
    return normalised
