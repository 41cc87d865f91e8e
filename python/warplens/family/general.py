"""Alignment of sequences or of a cost matrix by the general model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from warplens._bands import Band
from warplens._sequences import called_costs
from warplens._settings import AlignmentSettings
from warplens._step_weights import UNIT_WEIGHTS
from warplens.family.alignment import ModelAlignment
from warplens.family.ends import open_ends
from warplens.family.model import NO_PENALTIES, Model, gamma_of, sdtw_steps
from warplens.family.sources import MatrixSource, PairSource
from warplens.family.steps import Step


def chosen_steps(
    steps: Sequence[Step] | None, step_weights: Sequence[float], step_penalties: Sequence[ArrayLike]
) -> Sequence[Step]:
    """Return the steps that were given, or the three of soft DTW with their weights and penalties."""
    if steps is None:
        return sdtw_steps(step_weights, step_penalties)
    for name, value, default in (
        ("step_weights", step_weights, UNIT_WEIGHTS),
        ("step_penalties", step_penalties, NO_PENALTIES),
    ):
        if value is not default:
            raise ValueError(f"steps: each has its weight and penalty, so {name} is not accepted beside them")
    return steps


def is_plain(steps: Sequence[Step] | None, step_penalties: Sequence[ArrayLike], *ends: object) -> bool:
    """Tell if the settings are those of plain soft DTW."""
    return steps is None and step_penalties is NO_PENALTIES and all(end is None for end in ends)


def align_pair(
    pair: tuple[NDArray[Any], NDArray[Any]],
    settings: AlignmentSettings,
    *,
    minimum: str,
    steps: Sequence[Step],
    open_begin: str | None,
    open_end: str | None,
    skip_penalty: float | Sequence[float],
) -> ModelAlignment:
    """Align checked sequences."""
    check_no_band(settings.band)
    x, y = pair
    shape = (len(x), len(y))
    entry, exit = open_ends(open_begin, open_end, skip_penalty, shape)
    model = Model.of(shape, gamma=gamma_of(minimum, settings.gamma), steps=steps, entry=entry, exit=exit)
    if callable(settings.cost):
        costs = called_costs(settings.cost, x, y)
        source: MatrixSource | PairSource = MatrixSource(costs)
        return ModelAlignment(model, source, settings=settings, outputs=["h"], x=x, y=y, costs=costs)
    outputs = ["h", "x_grad", "y_mod"] if settings.has_modified_targets else ["h", "x_grad"]
    source = PairSource(x, y, settings)
    return ModelAlignment(model, source, settings=settings, outputs=outputs, x=x, y=y)


def align_matrix(
    costs: NDArray[Any],
    settings: AlignmentSettings,
    *,
    minimum: str,
    steps: Sequence[Step],
    entry: ArrayLike | None,
    exit: ArrayLike | None,
    entry_weight: ArrayLike | None,
    exit_weight: ArrayLike,
) -> ModelAlignment:
    """Align by a checked cost matrix."""
    check_no_band(settings.band)
    n, m = costs.shape
    model = Model.of(
        (n, m),
        gamma=gamma_of(minimum, settings.gamma),
        steps=steps,
        entry=_costs_of_cells(entry),
        exit=_costs_of_cells(exit),
        entry_weight=entry_weight,
        exit_weight=exit_weight,
    )
    return ModelAlignment(model, MatrixSource(costs), settings=settings, outputs=["h", "H"], costs=costs)


def _costs_of_cells(costs: ArrayLike | None) -> Any:
    # A tuple would pass for the costs of a border.
    return list(costs) if isinstance(costs, tuple) else costs


def check_no_band(band: Band | None) -> None:
    """Check that there is no band beside steps, penalties or open ends."""
    if band is not None:
        raise ValueError(
            "band: belongs to plain soft DTW; beside steps, penalties or open ends forbid cells by inf "
            "(align_costs)"
        )
