"""Checks of a study's settings beyond the types of single ones."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from studies.mpe.configuration import (
    FAMILY,
    Configuration,
    Finetuning,
    Pretraining,
    Run,
    TargetErrors,
)
from studies.mpe.errors import StudyError

PRECISIONS = ("float32", "bfloat16")


def check_study(study: Configuration) -> None:
    """Raise StudyError for the first setting that cannot be computed with."""
    seeds = study.seeds
    meant = isinstance(seeds, tuple) and len(seeds) > 0 and all(_is_whole(seed) for seed in seeds)
    _require(meant, "study", "seeds", seeds, "a list of whole numbers, 0 or more, at least one")
    _require(len(set(seeds)) == len(seeds), "study", "seeds", seeds, "each seed once")
    _require(study.precision in PRECISIONS, "study", "precision", study.precision, f"one of {PRECISIONS}")
    _require_at_least_1("study", study, ("width",))
    _require(len(study.runs) > 0, "study", "runs", study.runs, "at least one [[runs]]")
    _check_pretraining(study.pretraining)
    _check_finetuning(study.finetuning)
    for run in study.runs:
        _check_run(f"run {run.name!r}", run)


def _check_pretraining(settings: Pretraining) -> None:
    where = "pretraining"
    _require_at_least_1(where, settings, ("steps", "short_steps", "batch", "decay_steps"))
    _require_above_0(where, settings, ("clip_seconds", "learning_rate", "decay"))
    _require(
        settings.short_steps <= settings.steps,
        where,
        "short_steps",
        settings.short_steps,
        f"at most `steps` = {settings.steps}, for it is the state after so many of them",
    )


def _check_finetuning(settings: Finetuning) -> None:
    where, weights = "finetuning", settings.step_weights
    _require_at_least_1(where, settings, ("steps", "batch", "relabel_steps", "look_steps", "inspect_steps"))
    _require_above_0(
        where, settings, ("learning_rate", "segment_seconds", "measure_seconds", "longest_seconds")
    )
    _check_step_weights(where, weights)


def _check_step_weights(where: str, weights: tuple[float, ...]) -> None:
    accepted = "three numbers, 0 or more: horizontal, vertical, diagonal"
    _require(_are_numbers(weights) and len(weights) == 3, where, "step_weights", weights, accepted)


def _check_run(where: str, run: Run) -> None:
    _check_errors(f"errors {run.errors.name!r}", run.errors)
    _check_schedule(where, run)
    _check_objective(where, run)


def _check_schedule(where: str, run: Run) -> None:
    if run.schedule == "piecewise":
        points = run.points
        pairs = isinstance(points, tuple) and all(_are_numbers(p) and len(p) == 2 for p in points)
        accepted = "pairs [share of steps, gamma], shares from 0 to 1 and ascending"
        _require(pairs and len(points) > 0, where, "points", points, accepted)
        ascend = all(a[0] < b[0] for a, b in pairwise(points))
        _require(ascend and points[-1][0] <= 1, where, "points", points, accepted)
    if run.schedule == "target-driven":
        _require_above_0(where, run, ("gamma", "least_gamma"))
        _require(run.least_gamma <= run.gamma, where, "least_gamma", run.least_gamma, "at most `gamma`")
        _require(0 < run.factor < 1, where, "factor", run.factor, "a number between 0 and 1")


def _check_objective(where: str, run: Run) -> None:
    """Refuse an output layer that an objective cannot read, and options that it would leave unread."""
    if run.objective == "multi-label-ctc":
        accepted = "'we' or 'ne3': multi-label CTC reads categories, one of them the blank, not sigmoids"
        _require(run.output != "sigmoid", where, "output", run.output, accepted)
    else:
        accepted = f"'sigmoid': {run.objective!r} compares levels of pitches with targets and knows no blank"
        _require(run.output == "sigmoid", where, "output", run.output, accepted)
    for key, readers in (("objective", _READ_BY), ("schedule", _READ_BY_SCHEDULE)):
        for name, those in readers.items():
            default, given = Run.__dataclass_fields__[name].default, getattr(run, name)
            unread = f"{default!r}: {key} {getattr(run, key)!r} does not read it, {' and '.join(those)} do"
            _require(given == default or getattr(run, key) in those, where, name, given, unread)
    if run.step_weights:
        _check_step_weights(where, run.step_weights)
    if run.objective == "drop":
        _require_above_0(where, run, ("drop",))
    if run.objective in FAMILY:
        _require_above_0(where, run, ("gamma",))
        least = min((gamma for _, gamma in run.points), default=1.0)
        _require(least > 0, where, "points", run.points, "gammas above 0")
    if run.prior or run.prior_until:
        _require(run.prior > 0, where, "prior", run.prior, "a number above 0, as `prior_until` is given")
        _require(0 < run.prior_until <= 1, where, "prior_until", run.prior_until, "a share above 0, up to 1")


_READ_BY = {
    "step_weights": ("sdtw", "subsequence"),
    "skip_penalty": ("subsequence",),
    "drop": ("drop",),
    "blank_rule": ("multi-label-ctc",),
    "prior": ("sdtw",),
    "prior_until": ("sdtw",),
    "gamma": FAMILY,
    "schedule": FAMILY,
}
"""The objectives that read an option of a run."""

_READ_BY_SCHEDULE = {
    "gamma": ("constant", "target-driven"),
    "points": ("piecewise",),
    "least_gamma": ("target-driven",),
    "factor": ("target-driven",),
}
"""The schedules that read an option of a run."""


def _check_errors(where: str, errors: TargetErrors) -> None:
    for name in ("wrong_notes", "missing_notes"):
        share = getattr(errors, name)
        _require(0 <= share <= 1, where, name, share, "a share from 0 to 1")
    if not errors.are_none:
        _require(bool(errors.name), where, "name", errors.name, "a name for the column, as it has errors")


def _require_at_least_1(where: str, settings: Any, names: Sequence[str]) -> None:
    for name in names:
        value = getattr(settings, name)
        _require(value >= 1, where, name, value, "a whole number, 1 or more")


def _require_above_0(where: str, settings: Any, names: Sequence[str]) -> None:
    for name in names:
        value = getattr(settings, name)
        _require(value > 0, where, name, value, "a number above 0")


def _require(meant: bool, where: str, name: str, value: object, accepted: str) -> None:
    if not meant:
        raise StudyError(f"{where}: `{name}` is {value!r}; accepted is {accepted}.")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_numbers(values: object) -> bool:
    return isinstance(values, tuple) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < math.inf for v in values
    )
