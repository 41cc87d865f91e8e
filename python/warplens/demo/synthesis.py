"""Synthesis of notes: a few decaying partials a note, a little noise, in plain NumPy."""

import numpy as np
from numpy.typing import NDArray

from warplens.demo.piece import Piece

SAMPLE_RATE = 22050

PARTIALS = 8
ATTACK = 0.004
RELEASE = 0.04
NOISE = 0.001


def frequency(pitch: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the frequency of a MIDI pitch in Hertz, A4 (69) at 440 Hz."""
    return 440.0 * 2.0 ** ((np.asarray(pitch, np.float64) - 69.0) / 12.0)


def synthesize(piece: Piece, *, seed: int = 0) -> NDArray[np.float32]:
    """Synthesize the piece as mono samples in [-1, 1] at `SAMPLE_RATE`, with half a second of tail.

    Partial k of a note sounds at k times its frequency with amplitude k^-1.3 and dies away as exp(-t (0.35 +
    0.15 k)); high notes die sooner than low ones. The note fades out within `RELEASE` seconds after its end.
    White noise 60 dB under full scale keeps silence from being exactly nothing.
    """
    samples = np.zeros(round((float(piece.seconds(piece.beats)) + 0.5) * SAMPLE_RATE))
    for note in piece.notes:
        start, stop = piece.seconds(np.array([note.onset, note.onset + note.length]))
        first = round(start * SAMPLE_RATE)
        t = np.arange(round((stop - start + RELEASE) * SAMPLE_RATE)) / SAMPLE_RATE
        t = t[: len(samples) - first]
        envelope = np.clip(t / ATTACK, 0, 1) * np.clip((stop - start + RELEASE - t) / RELEASE, 0, 1)
        f0 = float(frequency(note.pitch))
        for k in range(1, PARTIALS + 1):
            if k * f0 < 0.45 * SAMPLE_RATE:
                decay = (0.35 + 0.15 * k) * (f0 / 440.0) ** 0.5
                partial = k**-1.3 * np.exp(-decay * t) * np.sin(2 * np.pi * k * f0 * t)
                samples[first : first + len(t)] += envelope * partial
    samples *= 0.8 / np.abs(samples).max()
    samples += NOISE * np.random.default_rng(seed).standard_normal(len(samples))
    return np.clip(samples, -1, 1).astype(np.float32)
