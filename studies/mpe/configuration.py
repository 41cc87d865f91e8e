"""A study as a file (TOML): data, network, training, and the runs that make the rows of its table."""

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from studies.mpe.errors import StudyError
from studies.mpe.validation import check_study

Start = Literal["full", "short"]
Objective = Literal["sdtw", "strong", "em"]
Schedule = Literal["constant", "piecewise", "target-driven"]

PARTS = ("pretraining", "finetuning", "test")
"""What data are for; an array of tables `[[data.<part>]]` each."""


@dataclass(frozen=True)
class Source:
    """Recordings of one dataset: its name, and what its reader takes."""

    dataset: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Pretraining:
    """On strong targets of random clips.

    Attributes:
        steps: of the whole; its end is the start "full".
        short_steps: after which the start "short", a poor one, is kept.
        clip_seconds: length of a clip.
        batch: clips a step.
        learning_rate: of Adam, at first.
        decay: factor on the learning rate every `decay_steps`.
        decay_steps: see there.
        clip_norm: to which the norm of the gradient is clipped; 0 does not clip.
    """

    steps: int
    short_steps: int
    clip_seconds: float
    batch: int
    learning_rate: float
    decay: float
    decay_steps: int
    clip_norm: float


@dataclass(frozen=True)
class Finetuning:
    """On weak targets of segments.

    Attributes:
        steps: of each run.
        batch: segments a step.
        learning_rate: of Adam.
        clip_norm: as in pre-training.
        step_weights: horizontal, vertical, diagonal.
        segment_measures: measures a segment; 0 cuts by `segment_seconds`.
        segment_seconds: length of a segment where measures are not known or not asked for.
        longest_seconds: longer segments are left out.
        relabel_steps: steps between two rounds of alignment of the EM baseline.
        look_steps: steps between two looks of a target-driven schedule at its probes.
        inspect_steps: steps between two looks of the inspector, which writes down what is taught.
    """

    steps: int
    batch: int
    learning_rate: float
    clip_norm: float
    step_weights: tuple[float, float, float]
    segment_measures: int
    segment_seconds: float
    longest_seconds: float
    relabel_steps: int
    look_steps: int
    inspect_steps: int


@dataclass(frozen=True)
class Run:
    """A row of the table: one way of fine-tuning, for every seed.

    Attributes:
        name: of the row and of its folder.
        start: the pre-training it starts from.
        objective: soft DTW; or "strong" targets, or hard-DTW labels ("em").
        schedule: of gamma, for soft DTW.
        gamma: of the constant schedule; where the others begin.
        points: of the piecewise schedule, (share of all steps, gamma).
        least_gamma: where the target-driven schedule stops.
        factor: of each of its moves.
        patience: looks without gain that it waits before it moves.
        paper_f: the paper's F-measure where it has one, to stand beside.
    """

    name: str
    start: Start = "full"
    objective: Objective = "sdtw"
    schedule: Schedule = "constant"
    gamma: float = 1.0
    points: tuple[tuple[float, float], ...] = ()
    least_gamma: float = 0.1
    factor: float = 0.5
    patience: int = 2
    paper_f: float | None = None

    @property
    def first_gamma(self) -> float | None:
        """Gamma at the start of fine-tuning; None where there is none."""
        if self.objective != "sdtw":
            return None
        return self.points[0][1] if self.schedule == "piecewise" else self.gamma


@dataclass(frozen=True)
class Configuration:
    """A study.

    Attributes:
        name: of its folder of results.
        title: one line for the table.
        seeds: each row of the table is run with each.
        width: channels of the first layers; 48 is the published network.
        precision: "float32", or "bfloat16" for the network's products.
        pretraining: see there.
        finetuning: see there.
        runs: the rows of the table.
        data: sources by part (`PARTS`).
        paper_f_before: the paper's F-measure before fine-tuning.
    """

    name: str
    title: str
    seeds: tuple[int, ...]
    width: int
    precision: Literal["float32", "bfloat16"]
    pretraining: Pretraining
    finetuning: Finetuning
    runs: tuple[Run, ...]
    data: Mapping[str, tuple[Source, ...]]
    paper_f_before: float | None = None

    def run(self, name: str) -> Run:
        """The run of a name."""
        for run in self.runs:
            if run.name == name:
                return run
        raise StudyError(f"There is no run {name!r} in study {self.name!r}; its runs: {self._run_names()}.")

    def _run_names(self) -> str:
        return ", ".join(repr(run.name) for run in self.runs)

    def digest(self, run: Run | None = None) -> str:
        """A name for all that a pre-training (None) or a run depends on; others are not resumed."""
        told = asdict(self)
        for key in ("name", "title", "seeds", "runs", "paper_f_before"):
            del told[key]
        if run is None:
            del told["finetuning"], told["data"]["finetuning"], told["data"]["test"]
        else:
            told["run"] = {k: v for k, v in asdict(run).items() if k not in ("name", "paper_f")}
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:12]


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
    runs = tuple(_filled(Run, f"run {i}", each) for i, each in enumerate(table.pop("runs", []), 1))
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


def _source(part: str, table: dict[str, Any]) -> Source:
    options = dict(table)
    try:
        return Source(str(options.pop("dataset")), options)
    except KeyError:
        raise StudyError(f"A [[data.{part}]] has no key `dataset`; name one.") from None


_T = TypeVar("_T")


def _filled(kind: type[_T], where: str, table: Mapping[str, Any]) -> _T:
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise StudyError(f"{where} has no key `{unknown[0]}`; it takes {', '.join(known)}.")
    values = {name: _hashable(value) for name, value in table.items()}
    for name, accepted in (("start", Start), ("objective", Objective), ("schedule", Schedule)):
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
