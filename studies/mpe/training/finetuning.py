"""Fine-tuning: weak targets by a loss of the family, or one of the bounds, on fixed segments."""

from collections.abc import Sequence
from pathlib import Path

import torch

from studies.mpe.configuration import Configuration, Run
from studies.mpe.inputs.features import read_features
from studies.mpe.inputs.frames import FPS, LOWEST_PITCH
from studies.mpe.inputs.preparation import Progress
from studies.mpe.inputs.segments import Batch, Segment, batch_of, indices_of_step, segments_of, with_errors
from studies.mpe.places import Places
from studies.mpe.training.checkpoint import load_network
from studies.mpe.training.loop import Objective, Training
from studies.mpe.training.losses import WeakLoss, loss_of
from studies.mpe.training.model import ConvStack, with_output
from studies.mpe.training.objectives import (
    HardAlignedTargets,
    StrongTargets,
    WeakTargets,
    scores_for,
)
from studies.mpe.training.schedules import prior_schedule_of, schedule_of
from warplens.training import Probe, Probes, TargetInspector, Writer

LOOKED_AT = (0.0, 0.05, 0.1, 0.25)
"""Shares of the steps after which the modified targets are compared with what comes in the end."""

_PROBES = 8


def steps_looked_at(steps: int) -> dict[float, int]:
    """Return the number of steps after which to look, by its share of all."""
    return {share: round(share * steps) for share in LOOKED_AT}


def finetune(
    places: Places,
    run: Run,
    seed: int,
    progress: Progress,
    *,
    device: str = "cpu",
    writer: Writer | None = None,
) -> Path:
    """Fine-tune a run from its start; return the path of its checkpoint."""
    study, settings = places.configuration, places.configuration.finetuning
    exact = segments_of(read_features(study.data["finetuning"], places.data), settings)
    segments = with_errors(exact, run.errors, settings, seed=seed)
    network = start_of(places, run, seed).to(device)
    objective = objective_of(run, study, segments, network, writer)

    def batch(step: int) -> Batch:
        indices = indices_of_step(len(segments), batch=settings.batch, seed=seed, step=step)
        return batch_of([segments[i] for i in indices], indices)

    training = Training(
        network,
        objective,
        batch,
        learning_rate=settings.learning_rate,
        clip_norm=settings.clip_norm,
        seed=seed,
        digest=study.digest(run),
        path=places.run(run, seed) / "checkpoint.pt",
        precision=study.precision,
        device=device,
    )
    looked_at = steps_looked_at(settings.steps).values()
    keep = {step: places.during(run, seed, step) for step in looked_at if 0 < step < settings.steps}
    training.until(settings.steps, keep=keep, progress=progress)
    training.write_history()
    if log := getattr(getattr(objective, "schedule", None), "log", None):
        (places.run(run, seed) / "gamma.log").write_text("\n".join(map(str, log)) + "\n", "utf-8")
    return training.path


def start_of(places: Places, run: Run, seed: int) -> ConvStack:
    """Load the network that a run starts from, with the output layer of the run."""
    width = places.configuration.width
    return with_output(load_network(places.start(run, seed), width=width), run.output)


def objective_of(
    run: Run, study: Configuration, segments: list[Segment], network: ConvStack, writer: Writer | None = None
) -> Objective:
    """Make the objective of a run on these segments, with a writer of what it inspects."""
    settings = study.finetuning
    if run.objective == "strong":
        return StrongTargets()
    if run.objective == "em":
        return HardAlignedTargets(segments, settings.step_weights, settings.relabel_steps)
    loss = loss_of(run, settings.step_weights)
    assert loss is not None
    probes = probes_of(network, loss, _spread_out(segments, _PROBES))
    schedule = schedule_of(run, loss, steps=settings.steps, every=settings.look_steps, probes=probes)
    prior_schedule = prior_schedule_of(run, loss, steps=settings.steps)
    inspector = TargetInspector(loss, probes, writer, every=settings.inspect_steps, pictures_every=2)
    return WeakTargets(loss, schedule, inspector, prior_schedule)


def probes_of(network: ConvStack, loss: WeakLoss, segments: Sequence[Segment]) -> Probes:
    """Make probes of segments, with what the network predicts in the form that the loss reads."""

    def predict(mel: torch.Tensor) -> torch.Tensor:
        # The network may move to another device after its probes are made.
        device = next(network.parameters()).device
        return scores_for(loss, network(mel[None].to(device)))

    return Probes(network, [_probe(segment) for segment in segments], predict=predict)


def probe_id(segment: Segment) -> str:
    """Return the name of a segment as a probe."""
    return f"{segment.features.id}, frame {segment.first}"


def _spread_out(segments: list[Segment], count: int) -> list[Segment]:
    return segments[:: max(1, len(segments) // count)][:count]


def _probe(segment: Segment) -> Probe:
    return Probe(
        probe_id(segment),
        torch.from_numpy(segment.mel),
        segment.weak().y,
        segment.strong,
        fps=FPS,
        lowest_pitch=LOWEST_PITCH,
    )
