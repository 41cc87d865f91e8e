"""Drop-DTW: frames may be dropped at a cost instead of being matched (Dvornik et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens import _core
from warplens._alignment import Path
from warplens._core import NoPathError
from warplens._costs import CostFunction
from warplens._sequences import as_pair, as_real_array, called_costs
from warplens._settings import AlignmentSettings
from warplens._step_weights import UNIT_WEIGHTS
from warplens.family.alignment import ModelAlignment
from warplens.family.frame_synchronous import LabelSource
from warplens.family.label_graph import expanded_labels, label_model
from warplens.family.model import Model
from warplens.family.sources import ClassSource, MatrixSource, PairSource, Source
from warplens.family.steps import Step

DROP = 2
"""The index of the step that drops a frame in the graph of one state a target."""


class DropAlignment(ModelAlignment):
    """The alignment of x (N,D) and y (M,D) where frames of x may be dropped.

    H and E (N,M) are over matches alone: h(n) is the probability that frame n is kept where matches are one
    to one, and the expected number of its targets where they are many to one. The graph inside has states of
    its own, so there are no step posteriors, beginnings and ends; y_mod of a frame with h < 0.05 is hardly
    taught.
    """

    def __init__(self, charges: _Charges, contiguous: bool) -> None:
        model, source = _contiguous(charges) if contiguous else _of_one_state(charges)
        outputs = ["x_grad"] if contiguous else ["H", "E", "step_posteriors"]
        super().__init__(model, source, settings=charges.settings, outputs=outputs, x=charges.x, y=charges.y)
        self._contiguous = contiguous
        if contiguous:
            # Occupancies of classes: drops, then the targets.
            grad = self._results.pop("x_grad")
            grad.flags.writeable = True  # no one else has it
            H = E = np.subtract(0.0, grad, out=grad)[:, 1:].astype(charges.dtype, copy=False)
        else:
            # A dropped frame stays where it is, which is no match.
            H = self._results.pop("H")
            E = self._results.pop("E") - self._results.pop("step_posteriors")[DROP]
        self._keep("H", H)
        self._keep("E", E)
        self._keep("h", H.sum(axis=1, dtype=np.float64).astype(H.dtype))
        self._keep("visits", E.sum(axis=0, dtype=np.float64))

    @property
    def step_posteriors(self) -> NDArray[Any]:
        """Not there: see the class."""
        raise _of_the_graph("step_posteriors")

    @property
    def begin(self) -> NDArray[Any]:
        """Not there: see the class."""
        raise _of_the_graph("begin")

    @property
    def end(self) -> NDArray[Any]:
        """Not there: see the class."""
        raise _of_the_graph("end")

    def path(self) -> Path:
        """Return the matches of the most probable path and the steps, of the graph inside, to them."""
        path = super().path()
        frames, columns = path.indices.T
        if self._contiguous:
            matched = columns % 2 == 1
            columns = columns // 2
        else:
            matched = path.steps != DROP
        return Path(np.stack([frames, columns], axis=1)[matched], path.value, path.steps[matched])

    def _compute(self, output: str) -> None:
        if output not in ("x_grad", "y_grad", "y_mod"):
            super()._compute(output)
            return
        assert self._x is not None
        assert self._y is not None
        arguments = self._settings.cost_arguments(self._x.shape[1])
        H = self.H.astype(np.float64, copy=False)
        self._keep(output, _core.read_alignment(self._x, self._y, H, **arguments, outputs=[output])[output])


def _of_the_graph(name: str) -> ValueError:
    return ValueError(
        f"{name}: belongs to the graph inside drop_dtw, not to frames and targets; see H, E and h"
    )


def drop_dtw(
    x: ArrayLike,
    y: ArrayLike,
    drop: ArrayLike,
    *,
    cost: str | CostFunction = "mse",
    gamma: float = 1.0,
    contiguous: bool = True,
    many_to_one: bool = False,
) -> DropAlignment:
    """Align predictions x with targets y where each frame of x is matched, at C(n,m), or dropped, at drop(n).

    Every target is matched in order. An alignment is charged for its matches and its drops, and the value is
    the softmin over all alignments; each counts once.

    Args:
        x: predictions (N,D) or (N,).
        y: targets (M,D) or (M,).
        drop: the cost to drop a frame, a number or (N,), above -inf, in units of the cost; inf forbids.
        cost: as in `align`; a cost of +inf by a callable forbids a match alone.
        gamma: softness; 0 is Drop-DTW itself.
        contiguous: no frame is dropped between the frames of one target, as in Drop-DTW's training.
        many_to_one: a matched frame may be matched to the next targets too.

    Returns:
        A `DropAlignment` with value, H, E and h (N,) computed; y_mod, x_grad and y_grad on first access.

    Raises:
        NoPathError: fewer frames than targets, or costs of inf forbid every path.
        ValueError: as in `align`; drop costs that are NaN or -inf, or, where not contiguous but many to one
            at gamma > 0, not above 0.
    """
    settings = AlignmentSettings.of(cost=cost, gamma=gamma, step_weights=UNIT_WEIGHTS)
    x, y = as_pair(x, y, settings)
    n, m = len(x), len(y)
    drops = _drops(drop, n)
    if n < m and not many_to_one:
        raise NoPathError(
            f"no path: N = {n} frames are fewer than M = {m} targets; N of {m} or more is accepted"
        )
    if not contiguous and many_to_one and settings.gamma > 0 and not (drops > 0).all():
        frame = int(np.flatnonzero(~(drops > 0))[0])
        raise ValueError(
            f"drop: is {drops[frame]} at frame {frame}; many to one at gamma > 0 accepts costs above 0"
        )
    called = called_costs(settings.cost, x, y) if callable(settings.cost) else None
    charges = _Charges(x, y, called, drops, settings, many_to_one)
    return DropAlignment(charges, contiguous)


def _drops(drop: ArrayLike, frames: int) -> NDArray[np.float64]:
    drops = as_real_array("drop", drop).astype(np.float64)
    if drops.ndim > 1 or (drops.ndim == 1 and drops.shape != (frames,)):
        raise ValueError(f"drop: has shape {drops.shape}; a number or (N,) = ({frames},) is accepted")
    drops = np.broadcast_to(drops, (frames,))
    refused = np.flatnonzero(~(drops > -np.inf))
    if refused.size:
        raise ValueError(f"drop: is {drops[refused[0]]} at frame {refused[0]}; costs above -inf are accepted")
    return drops


@dataclass(frozen=True)
class _Charges:
    """Costs of matches and drops."""

    x: NDArray[Any]
    y: NDArray[Any]
    called: NDArray[Any] | None
    """The costs (N,M) of a callable; inf forbids the match alone."""
    drops: NDArray[np.float64]
    settings: AlignmentSettings
    many_to_one: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of results."""
        dtype: np.dtype[Any] = self.x.dtype if self.called is None else self.called.dtype
        return dtype


def _contiguous(charges: _Charges) -> tuple[Model, Source]:
    """Return the graph of CTC whose blank is a drop: class 0 costs drop(n) and class m, a label, C(n,m)."""
    x, y, gamma = charges.x, charges.y, charges.settings.gamma
    if charges.called is None:
        # A first column gives room for the drops. Costs in float32 would be too coarse where they are large.
        targets = np.concatenate([y[:1], y]).astype(np.float64, copy=False)
        arguments = charges.settings.cost_arguments(x.shape[1])
        scores = _core.cost_matrix(x.astype(np.float64, copy=False), targets, **arguments)
        np.negative(scores, out=scores)
    else:
        scores = np.empty((len(x), 1 + len(y)))
        scores[:, 1:] = np.where(np.isinf(charges.called), -np.inf, -charges.called)
    scores[:, 0] = -charges.drops
    classes = ClassSource(scores, expanded_labels(np.arange(1, len(y) + 1), 0), None)
    model = label_model(np.zeros(len(y), bool), len(x), gamma, many_to_one=charges.many_to_one)
    return model, classes if charges.many_to_one else LabelSource(classes, blank=0)


def _of_one_state(charges: _Charges) -> tuple[Model, Source]:
    """Return a graph of one state a target: a step (1,0) matches again, another drops the frame."""
    drops, gamma, shape = charges.drops, charges.settings.gamma, (len(charges.x), len(charges.y))
    if charges.called is None:
        source: Source = PairSource(charges.x, charges.y, charges.settings)
        banned = np.zeros(shape)
    else:
        # A cost of inf in the graph would forbid to drop the frame there, too.
        forbidden = np.isinf(charges.called)
        source = MatrixSource(np.where(forbidden, 0, charges.called))
        banned = np.where(forbidden, np.inf, 0.0)
    diagonal = banned
    if charges.many_to_one and gamma > 0:
        # After a drop the next target is reached by the diagonal and, over a match, by (0,1): once is enough.
        diagonal = banned - gamma * np.log(-np.expm1(-drops / gamma))[:, np.newaxis]
    steps = [Step(1, 0, 1.0, banned), Step(1, 1, 1.0, diagonal), Step(1, 0, 0.0, drops[:, np.newaxis])]
    if charges.many_to_one:
        steps.append(Step(0, 1, 1.0, banned))
    entry = np.concatenate([[0.0], np.cumsum(drops[:-1])]) + banned[:, 0]
    return Model.of(shape, gamma=gamma, steps=steps, entry=(None, entry), entry_weight=1.0), source
