"""A small network and items to inspect: what it predicts is what it is given, times its confidence."""

import numpy as np
import torch
from torch import nn

import warplens as wl
from warplens.training import Probe, Probes

FPS, LOWEST_PITCH = 20.0, 60


class Confidence(nn.Module):
    """Logits in, logits out, times one parameter, with layers that behave differently in training."""

    def __init__(self, features=6, confidence=1.0):
        super().__init__()
        self.confidence = nn.Parameter(torch.tensor(float(confidence)))
        self.norm = nn.BatchNorm1d(features)
        self.dropout = nn.Dropout(0.5)

    def forward(self, logits):
        if self.training:
            logits = self.norm(logits.mT).mT
        return self.confidence * self.dropout(logits)


def piece(seed, n_events=10, features=6):
    """Strong target (N,D) of notes that last 1 to 12 frames, with silence between some."""
    generator = np.random.default_rng(seed)
    frames, last = [], -1
    for _ in range(n_events):
        pitch = int(generator.choice([d for d in range(features) if d != last]))
        last = pitch
        frames += [np.eye(features)[pitch]] * int(generator.choice([1, 2, 4, 12]))
        if generator.random() < 0.2:
            frames += [np.zeros(features)] * 2
    return np.array(frames, np.float32)


def probe(seed, *, noise=0.0, known=True, sounding=True):
    strong = piece(seed)
    generator = np.random.default_rng(seed + 1000)
    logits = 6.0 * (strong - 0.5) + noise * generator.standard_normal(strong.shape)
    return Probe(
        f"piece {seed}",
        torch.from_numpy(logits.astype(np.float32)),
        wl.collapse_repeats(strong).y,
        strong if known else None,
        fps=FPS if sounding else None,
        lowest_pitch=LOWEST_PITCH if sounding else None,
    )


def probes(*seeds, confidence=1.0, **options):
    return Probes(Confidence(confidence=confidence), [probe(seed, **options) for seed in seeds or (0, 1, 2)])


class RecordingWriter:
    """Has what is needed of a SummaryWriter, and keeps what it is given."""

    def __init__(self):
        self.scalars, self.figures, self.sounds = [], [], []

    def add_scalar(self, tag, scalar_value, global_step):
        self.scalars.append((tag, scalar_value, global_step))

    def add_figure(self, tag, figure, global_step):
        self.figures.append((tag, figure, global_step))

    def add_audio(self, tag, snd_tensor, global_step, sample_rate):
        self.sounds.append((tag, snd_tensor, global_step, sample_rate))

    def at(self, step):
        return {tag: value for tag, value, when in self.scalars if when == step}
