"""Drop-DTW: frames may be dropped at a cost instead of being matched (Dvornik et al. 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens._alignment import Path
from warplens._core import NoPathError
from warplens._costs import CostFunction
from warplens._sequences import as_pair, as_real_array, called_costs
from warplens._settings import AlignmentSettings
from warplens._step_weights import UNIT_WEIGHTS
from warplens.family.alignment import ModelAlignment
from warplens.family.model import Model
from warplens.family.sources import MatrixSource, PairSource, Source
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

    def __init__(
        self,
        model: Model,
        source: Source,
        columns: slice,
        *,
        settings: AlignmentSettings,
        x: NDArray[Any],
        y: NDArray[Any],
    ) -> None:
        outputs = ["h", "H", "E"] if columns.step else ["h", "H", "E", "step_posteriors"]
        super().__init__(model, source, settings=settings, outputs=outputs, x=x, y=y)
        self._columns = columns
        H, E = self._results.pop("H")[:, columns], self._results.pop("E")[:, columns]
        if not columns.step:
            # A dropped frame stays where it is, which is no match.
            E = E - self._results.pop("step_posteriors")[DROP]
        self._keep("H", np.ascontiguousarray(H))
        self._keep("E", np.ascontiguousarray(E))
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
        if self._columns.step:
            matched = columns % 2 == 1
            columns = columns // 2
        else:
            matched = path.steps != DROP
        return Path(np.stack([frames, columns], axis=1)[matched], path.value, path.steps[matched])

    def _compute(self, output: str) -> None:
        super()._compute(output)
        if output == "y_grad":
            self._keep(output, np.ascontiguousarray(self._results[output][self._columns]))


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
    columns = slice(1, None, 2) if contiguous else slice(None)
    source, banned = _source(x, y, settings, columns)
    make = _contiguous if contiguous else _of_one_state
    model = make(banned, drops, settings.gamma, many_to_one)
    return DropAlignment(model, source, columns, settings=settings, x=x, y=y)


def _source(
    x: NDArray[Any], y: NDArray[Any], settings: AlignmentSettings, columns: slice
) -> tuple[Source, NDArray[np.float64]]:
    """Return the costs of the graph, charged at targets alone, and inf for forbidden matches."""
    wide = 2 * len(y) + 1 if columns.step else len(y)
    if not callable(settings.cost):
        targets = np.repeat(y[:1], wide, axis=0)
        targets[columns] = y
        return PairSource(x, targets, settings), np.zeros((len(x), len(y)))
    C = called_costs(settings.cost, x, y)
    # A cost of inf in the graph would forbid to drop the frame there, too.
    forbidden = np.isinf(C)
    costs = np.zeros((len(x), wide), C.dtype)
    costs[:, columns] = np.where(forbidden, 0, C)
    return MatrixSource(costs), np.where(forbidden, np.inf, 0.0)


def _drops(drop: ArrayLike, frames: int) -> NDArray[np.float64]:
    drops = as_real_array("drop", drop).astype(np.float64)
    if drops.ndim > 1 or (drops.ndim == 1 and drops.shape != (frames,)):
        raise ValueError(f"drop: has shape {drops.shape}; a number or (N,) = ({frames},) is accepted")
    drops = np.broadcast_to(drops, (frames,))
    refused = np.flatnonzero(~(drops > -np.inf))
    if refused.size:
        raise ValueError(f"drop: is {drops[refused[0]]} at frame {refused[0]}; costs above -inf are accepted")
    return drops


def _contiguous(
    banned: NDArray[np.float64], drops: NDArray[np.float64], gamma: float, many_to_one: bool
) -> Model:
    """Return the graph of CTC with the blank read as dropped: columns dropped, y_1, dropped, ..., dropped."""
    n, m = banned.shape
    columns = 2 * m + 1
    matches = np.arange(columns) % 2 == 1
    weight = matches[np.newaxis].astype(np.float64)
    penalty = np.repeat(drops[:, np.newaxis], columns, axis=1)
    penalty[:, matches] = banned
    into_targets = np.where(matches, penalty, np.inf)
    steps = [Step(1, 0, weight, penalty), Step(1, 1, weight, penalty), Step(1, 2, weight, into_targets)]
    if many_to_one:
        steps.append(Step(0, 2, weight, into_targets))
    entry, exit = np.full(columns, np.inf), np.full(columns, np.inf)
    entry[:2], exit[-2:] = penalty[0, :2], 0.0
    return Model.of(
        (n, columns), gamma=gamma, steps=steps, entry=(entry, None), exit=(exit, None), entry_weight=weight
    )


def _of_one_state(
    banned: NDArray[np.float64], drops: NDArray[np.float64], gamma: float, many_to_one: bool
) -> Model:
    """Return a graph of one state a target: a step (1,0) matches again, another drops the frame."""
    diagonal = banned
    if many_to_one and gamma > 0:
        # After a drop the next target is reached by the diagonal and, over a match, by (0,1): once is enough.
        diagonal = banned - gamma * np.log(-np.expm1(-drops / gamma))[:, np.newaxis]
    steps = [Step(1, 0, 1.0, banned), Step(1, 1, 1.0, diagonal), Step(1, 0, 0.0, drops[:, np.newaxis])]
    if many_to_one:
        steps.append(Step(0, 1, 1.0, banned))
    entry = np.concatenate([[0.0], np.cumsum(drops[:-1])]) + banned[:, 0]
    return Model.of(banned.shape, gamma=gamma, steps=steps, entry=(None, entry), entry_weight=1.0)
