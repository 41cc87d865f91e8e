"""Reader of a study's configuration (TOML)."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_args

from studies.mpe.configuration import (
    PARTS,
    BlankRule,
    Configuration,
    Finetuning,
    Objective,
    Output,
    Pretraining,
    Run,
    Schedule,
    Source,
    Start,
    TargetErrors,
)
from studies.mpe.errors import StudyError
from studies.mpe.validation import check_study


def read_configuration(path: Path) -> Configuration:
    """Read a study's file.

    Raises:
        StudyError: it is missing, no TOML, or a key is missing, unknown, of a wrong type or out of range.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"The configuration {path} does not exist; those that come with the study lie in "
            f"{Path(__file__).parent / 'configurations'}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"The configuration {path} is not TOML: {error}.") from None
    try:
        study = _configuration(table)
        check_study(study)
        return study
    except StudyError as error:
        raise StudyError(f"Configuration {path}: {error}") from None


def _configuration(table: dict[str, Any]) -> Configuration:
    data = table.pop("data", {})
    if set(data) != set(PARTS):
        raise StudyError(f"[[data.<part>]] is needed for each of {', '.join(PARTS)}; found: {sorted(data)}.")
    rows = [_run(f"run {i}", each) for i, each in enumerate(table.pop("runs", []), 1)]
    tables = table.pop("errors", [{}])
    if not all(isinstance(each, dict) for each in tables):
        raise StudyError("`errors` is no list of tables; write [[errors]] above each.")
    errors = [_filled(TargetErrors, f"errors {i}", each) for i, each in enumerate(tables, 1)]
    # Column by column, so that whole columns are done when time is over.
    runs = tuple(row.with_errors(each) for each in errors for row in rows)
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise StudyError(f"Two runs have one name among {names}; give each its own.")
    sections = {
        "pretraining": _filled(Pretraining, "pretraining", table.pop("pretraining", {})),
        "finetuning": _filled(Finetuning, "finetuning", table.pop("finetuning", {})),
        "data": {part: tuple(_source(part, each) for each in data[part]) for part in PARTS},
        "runs": runs,
    }
    return _filled(Configuration, "study", {**table, **sections})


def _run(where: str, table: dict[str, Any]) -> Run:
    for name in ("row", "errors"):
        if name in table:
            raise StudyError(f"{where} has no key `{name}`; errors of weak targets are tables [[errors]].")
    return _filled(Run, where, table)


def _source(part: str, table: dict[str, Any]) -> Source:
    options = dict(table)
    try:
        return Source(str(options.pop("dataset")), options)
    except KeyError:
        raise StudyError(f"A [[data.{part}]] has no key `dataset`; name one.") from None


_CHOICES = {
    "start": Start,
    "objective": Objective,
    "output": Output,
    "blank_rule": BlankRule,
    "schedule": Schedule,
}
"""Keys that take one of some names."""

_T = TypeVar("_T")


def _filled(kind: type[_T], where: str, table: Mapping[str, Any]) -> _T:
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise StudyError(f"{where} has no key `{unknown[0]}`; it takes {', '.join(known)}.")
    values = {name: _hashable(value) for name, value in table.items()}
    for name, accepted in _CHOICES.items():
        if name in values and name in known and values[name] not in get_args(accepted):
            raise StudyError(
                f"{where}: `{name}` is {values[name]!r}; one of {get_args(accepted)} is accepted."
            )
    try:
        made = kind(**values)
    except TypeError as error:
        raise StudyError(f"{where}: {error}.") from None
    for name, field in known.items():
        value = getattr(made, name)
        accepted_types = (int,) if field.type is int else (int, float)
        wrong = isinstance(value, bool) or not isinstance(value, accepted_types) or not 0 <= value < math.inf
        if field.type in (int, float) and wrong:
            raise StudyError(f"{where}: `{name}` is {value!r}; a number, 0 or more, is accepted.")
        if field.type is str and not isinstance(value, str):
            raise StudyError(f"{where}: `{name}` is {value!r}; a text in quotes is accepted.")
    return made


def _hashable(value: Any) -> Any:
    return tuple(_hashable(each) for each in value) if isinstance(value, list | tuple) else value
