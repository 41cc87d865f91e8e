"""Fine-tuning: weak targets by soft DTW, or one of the bounds, on fixed segments."""

from pathlib import Path

import torch

from studies.mpe.configuration import Configuration, Run
from studies.mpe.inputs.features import read_features
from studies.mpe.inputs.frames import FPS, LOWEST_PITCH
from studies.mpe.inputs.preparation import Progress
from studies.mpe.inputs.segments import Batch, Segment, batch_of, indices_of_step, segments_of
from studies.mpe.places import Places
from studies.mpe.training.checkpoint import load_network
from studies.mpe.training.gamma import schedule_of
from studies.mpe.training.loop import Objective, Training
from studies.mpe.training.model import ConvStack
from studies.mpe.training.objectives import HardAlignedTargets, StrongTargets, WeakTargets
from warplens.torch import SoftDTWLoss
from warplens.training import Probe, Probes, TargetInspector, Writer

_PROBES = 8


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
    segments = segments_of(read_features(study.data["finetuning"], places.data), settings)
    network = load_network(places.start(run, seed), width=study.width)
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
    training.until(settings.steps, progress=progress)
    training.write_history()
    if log := getattr(getattr(objective, "schedule", None), "log", None):
        (places.run(run, seed) / "gamma.log").write_text("\n".join(map(str, log)) + "\n", "utf-8")
    return training.path


def objective_of(
    run: Run, study: Configuration, segments: list[Segment], network: ConvStack, writer: Writer | None = None
) -> Objective:
    """Make the objective of a run on these segments; soft DTW writes its inspections to a writer."""
    settings = study.finetuning
    if run.objective == "strong":
        return StrongTargets()
    if run.objective == "em":
        return HardAlignedTargets(segments, settings.step_weights, settings.relabel_steps)
    loss = SoftDTWLoss("bce_logits", gamma=run.gamma, step_weights=settings.step_weights)
    probes = Probes(network, [_probe(segment) for segment in _spread_out(segments, _PROBES)])
    schedule = schedule_of(run, loss, steps=settings.steps, every=settings.look_steps, probes=probes)
    inspector = TargetInspector(loss, probes, writer, every=settings.inspect_steps, pictures_every=2)
    return WeakTargets(loss, schedule, inspector)


def _spread_out(segments: list[Segment], count: int) -> list[Segment]:
    return segments[:: max(1, len(segments) // count)][:count]


def _probe(segment: Segment) -> Probe:
    return Probe(
        f"{segment.features.id}, frame {segment.first}",
        torch.from_numpy(segment.mel),
        segment.weak().y,
        segment.strong,
        fps=FPS,
        lowest_pitch=LOWEST_PITCH,
    )
