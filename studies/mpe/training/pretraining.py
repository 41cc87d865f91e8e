"""Pre-training: strong targets, random clips."""

from pathlib import Path

import torch

from studies.mpe.inputs.features import read_features
from studies.mpe.inputs.preparation import Progress
from studies.mpe.inputs.segments import batch_of, random_clips
from studies.mpe.places import Places
from studies.mpe.record import write_result
from studies.mpe.training.loop import Training, losses_at_ends
from studies.mpe.training.model import ConvStack, parameter_count
from studies.mpe.training.objectives import StrongTargets


def pretrain(places: Places, seed: int, progress: Progress, *, device: str = "cpu") -> Path:
    """Train a seed's network on strong targets, keep it after `short_steps` too; return its checkpoint."""
    study, settings = places.configuration, places.configuration.pretraining
    recordings = read_features(study.data["pretraining"], places.data)
    torch.manual_seed(seed)
    training = Training(
        ConvStack(study.width),
        StrongTargets(),
        lambda step: batch_of(
            random_clips(
                recordings, seconds=settings.clip_seconds, batch=settings.batch, seed=seed, step=step
            ),
            weak=False,
        ),
        learning_rate=settings.learning_rate,
        decay=settings.decay,
        decay_steps=settings.decay_steps,
        clip_norm=settings.clip_norm,
        seed=seed,
        digest=study.digest(),
        path=places.pretraining(seed) / "checkpoint.pt",
        precision=study.precision,
        device=device,
    )
    short = places.pretraining(seed) / "short.pt"
    training.until(settings.steps, keep={settings.short_steps: short}, progress=progress)
    training.write_history()
    write_result(
        places.pretraining(seed),
        {
            "digest": study.digest(),
            "seed": seed,
            "steps": training.step,
            "seconds": training.seconds,
            "parameters": parameter_count(study.width),
            "recordings": [features.id for features in recordings],
            **losses_at_ends(training.losses),
        },
    )
    return training.path
