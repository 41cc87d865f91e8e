"""Configuration of a study: data, network, training, and the runs that make the rows of its table."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from studies.mpe.errors import StudyError

Start = Literal["full", "short"]
Objective = Literal["sdtw", "strong", "em"]
Schedule = Literal["constant", "piecewise", "target-driven"]

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
    longest_seconds: float
    relabel_steps: int
    look_steps: int
    inspect_steps: int


@dataclass(frozen=True)
class Run:
    """A row of the table: one way of fine-tuning, for every seed.

    Attributes:
        name: name of the row and of its folder.
        start: the pre-training it starts from.
        objective: soft DTW; or "strong" targets, or hard-DTW labels ("em").
        schedule: schedule of gamma, for soft DTW.
        gamma: gamma of the constant schedule, first gamma of the others.
        points: points of the piecewise schedule, (share of all steps, gamma).
        least_gamma: last gamma of the target-driven schedule.
        factor: factor of each of its moves.
        patience: inspections without gain that it waits before it moves.
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
        name: name of its folder of results.
        title: one line for the table.
        seeds: each row of the table is run with each.
        width: channels of the first layers; 48 is the published network.
        precision: "float32", or "bfloat16" for the network's products.
        pretraining: settings of pre-training.
        finetuning: settings of fine-tuning.
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
            settings["run"] = {k: v for k, v in asdict(run).items() if k not in ("name", "paper_f")}
        return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:12]
