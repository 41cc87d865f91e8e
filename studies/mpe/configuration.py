"""Configuration of a study: data, network, training, and the runs that make the rows of its table."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from studies.mpe.errors import StudyError

Start = Literal["full", "short"]
Objective = Literal["sdtw", "forward-sum", "subsequence", "drop", "multi-label-ctc", "strong", "em"]
Output = Literal["sigmoid", "we", "ne3"]
BlankRule = Literal["A", "B", "C"]
Schedule = Literal["constant", "piecewise", "target-driven"]

FAMILY: tuple[Objective, ...] = ("sdtw", "forward-sum", "subsequence", "drop", "multi-label-ctc")
"""Objectives that are losses of the family, with a gamma and modified targets."""

PARTS = ("pretraining", "finetuning", "test")
"""Parts of the data; an array of tables `[[data.<part>]]` each."""


@dataclass(frozen=True)
class Source:
    """Recordings of one dataset: its name, and the options of its reader."""

    dataset: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Pretraining:
    """Pre-training on strong targets of random clips.

    Attributes:
        steps: steps in all; the end is the start "full".
        short_steps: steps after which the start "short", a poor one, is kept.
        clip_seconds: length of a clip.
        batch: clips a step.
        learning_rate: learning rate of Adam at first.
        decay: factor on the learning rate every `decay_steps`.
        decay_steps: steps between two decays.
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
    """Fine-tuning on weak targets of segments.

    Attributes:
        steps: steps of each run.
        batch: segments a step.
        learning_rate: learning rate of Adam.
        clip_norm: as in pre-training.
        step_weights: horizontal, vertical, diagonal.
        segment_measures: measures a segment; 0 cuts by `segment_seconds`.
        segment_seconds: length of a segment where measures are not known or not asked for.
        measure_seconds: length of a measure where measures are not known, for `TargetErrors`.
        longest_seconds: longer segments are left out.
        relabel_steps: steps between two rounds of alignment of the EM baseline.
        look_steps: steps between two inspections of its probes by a target-driven schedule.
        inspect_steps: steps between two inspections that are written to the log.
    """

    steps: int
    batch: int
    learning_rate: float
    clip_norm: float
    step_weights: tuple[float, float, float]
    segment_measures: int
    segment_seconds: float
    measure_seconds: float
    longest_seconds: float
    relabel_steps: int
    look_steps: int
    inspect_steps: int


@dataclass(frozen=True)
class TargetErrors:
    """Errors of the weak targets that networks are fine-tuned on; a column of the table.

    Attributes:
        name: name of the column.
        measures: measures by which each weak target is too long or too short, at its beginning or its end;
            which of the four is drawn for each segment.
        wrong_notes: share of the notes that are moved to another pitch.
        missing_notes: share of the notes that are left out.
    """

    name: str = ""
    measures: int = 0
    wrong_notes: float = 0.0
    missing_notes: float = 0.0

    @property
    def are_none(self) -> bool:
        """True where weak targets are exact, whatever the name."""
        return self == TargetErrors(self.name)


@dataclass(frozen=True)
class Run:
    """A row of the table: one way of fine-tuning, for every seed.

    Attributes:
        name: name of the run and of its folder.
        start: the pre-training it starts from.
        objective: "sdtw"; of its family "forward-sum" (every step advances a frame), "subsequence" (open
            ends), "drop" (Drop-DTW) or "multi-label-ctc"; or "strong" targets, or hard-DTW labels ("em").
        output: output layer: "sigmoid", or the categories of multi-label CTC, "we" or "ne3".
        step_weights: horizontal, vertical, diagonal of "sdtw" and "subsequence"; () takes those of
            fine-tuning.
        skip_penalty: what each frame or target costs that "subsequence" leaves out.
        drop: what each frame costs that "drop" leaves out.
        blank_rule: of "multi-label-ctc": "A" takes blanks at their cost, "B" at twice their cost, "C" only
            where they are needed.
        schedule: schedule of gamma.
        gamma: gamma of the constant schedule, first gamma of the others.
        points: points of the piecewise schedule, (share of all steps, gamma).
        least_gamma: last gamma of the target-driven schedule.
        factor: factor between two gammas that it tries.
        prior: weight of a diagonal prior on the costs of "sdtw" as fine-tuning begins.
        prior_until: share of the steps after which the prior has fallen to 0.
        paper_f: the paper's F-measure where it has one, to stand beside.
        row: name of the row, `name` without the errors.
        errors: errors of the weak targets.
    """

    name: str
    start: Start = "full"
    objective: Objective = "sdtw"
    output: Output = "sigmoid"
    step_weights: tuple[float, ...] = ()
    skip_penalty: float = 0.0
    drop: float = 0.0
    blank_rule: BlankRule = "A"
    schedule: Schedule = "constant"
    gamma: float = 1.0
    points: tuple[tuple[float, float], ...] = ()
    least_gamma: float = 0.1
    factor: float = 0.5
    prior: float = 0.0
    prior_until: float = 0.0
    paper_f: float | None = None
    row: str = ""
    errors: TargetErrors = TargetErrors()

    def with_errors(self, errors: TargetErrors) -> "Run":
        """Return the run on weak targets with errors, under a name that says so."""
        name = f"{self.name}, {errors.name}" if errors.name else self.name
        return replace(self, name=name, row=self.name, errors=errors)


@dataclass(frozen=True)
class Configuration:
    """A study.

    Attributes:
        name: name of its folder of results.
        title: one line for the table.
        seeds: each row of the table is run with each.
        width: channels of the first layers; 48 is the published network.
        precision: "float32", or "bfloat16" for the network's products.
        pretraining: settings of pre-training.
        finetuning: settings of fine-tuning.
        runs: the rows of the table, each for all errors of the weak targets.
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
        """Return the run of a name."""
        for run in self.runs:
            if run.name == name:
                return run
        raise StudyError(f"There is no run {name!r} in study {self.name!r}; its runs: {self._run_names()}.")

    def _run_names(self) -> str:
        return ", ".join(repr(run.name) for run in self.runs)

    def digest(self, run: Run | None = None) -> str:
        """Return a hash of all that a pre-training (None) or a run depends on; others are not resumed."""
        settings = asdict(self)
        for key in ("name", "title", "seeds", "runs", "paper_f_before"):
            del settings[key]
        if run is None:
            del settings["finetuning"], settings["data"]["finetuning"], settings["data"]["test"]
        else:
            # Options at their defaults are left out, so that a new one leaves finished cells as they are.
            settings["run"] = _changed(run, Run(run.name), but=("name", "row", "paper_f", "errors"))
            settings["errors"] = _changed(run.errors, TargetErrors(), but=("name",))
        return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _changed(given: Any, default: Any, *, but: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings in which one dataclass differs from another, but for some."""
    before = asdict(default)
    return {key: value for key, value in asdict(given).items() if key not in but and value != before[key]}
