"""Alignment and measures of one pair at several gammas, by one call of the compiled module."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens import _core
from warplens._compute import costs_overflow, is_overflow, no_modified_targets
from warplens._sequences import as_pair
from warplens._settings import AlignmentSettings, check_gamma
from warplens.analysis.events import Events
from warplens.analysis.levels import EventLevels
from warplens.analysis.marginals import Marginals


@dataclass(frozen=True)
class MeasuredAlignments:
    """Measures, marginals and levels of G alignments of one pair; arrays lead with the gamma axis.

    Attributes:
        measures: those of `metrics.MEASURES` by name that need no strong target, (G,) each. In float32 the
            entropy is exact to about 1e-6 nats for each of the N + M frames.
        marginals: of H~.
        levels: of the K events of the targets, (G, K).
        h: row sums of H, (G, N), if asked for.
        y_mod: modified targets, (G, N, D), if asked for.
        H: soft alignments, (G, N, M), if asked for.
    """

    measures: dict[str, NDArray[np.float64]]
    marginals: Marginals
    levels: EventLevels
    h: NDArray[Any] | None = None
    y_mod: NDArray[Any] | None = None
    H: NDArray[Any] | None = None


def align_and_measure(
    x: NDArray[Any],
    y: NDArray[Any],
    events: Events,
    *,
    cost: str,
    gammas: Sequence[float],
    step_weights: Sequence[float],
    threshold: float,
    outputs: Sequence[str],
    threads: int | None = None,
) -> MeasuredAlignments:
    """Align x with y at every gamma and measure each alignment and the events of y in it.

    Args:
        x: predictions, (N, D).
        y: targets, (M, D).
        events: K events of y.
        cost: one that has modified targets.
        gammas: G of them, in the order of the results.
        step_weights: (horizontal, vertical, diagonal).
        threshold: level under which an event is lost, and the share of its own peak from which on a level
            counts towards the widening.
        outputs: which of "h", "y_mod" and "H" are kept.
        threads: None as `warplens.get_num_threads()`.

    Raises:
        ValueError: as `warplens.align`; the cost has no modified targets.
    """
    settings = AlignmentSettings.of(cost=cost, gamma=gammas[0], step_weights=step_weights)
    horizontal, vertical, diagonal = settings.step_weights
    if not settings.has_modified_targets:
        raise no_modified_targets(settings)
    x, y = as_pair(x, y, settings)
    try:
        result = _core.align_and_measure_pair(
            x,
            y,
            cost=cost,
            gammas=[check_gamma(gamma) for gamma in gammas],
            step_weights=(horizontal, vertical, diagonal),
            **events.as_core(),
            threshold=threshold,
            outputs=outputs,
            threads=threads,
        )
    except _core.NoPathError as error:
        raise costs_overflow(settings) if is_overflow(error) else error from None
    measures = result["measures"]
    if np.isnan(measures["value"]).any():
        raise costs_overflow(settings)
    return MeasuredAlignments(
        measures,
        Marginals.of(result),
        EventLevels.of(result["levels"]),
        h=result.get("h"),
        y_mod=result.get("y_mod"),
        H=result.get("H"),
    )
