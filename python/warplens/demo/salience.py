"""A simple pitch-salience front end in place of a trained network.

Each short-time spectrum is explained as a non-negative sum of harmonic templates, one a pitch; how much of
each pitch that takes is squashed to (0, 1). Nothing in it knows the piece. It errs as such front ends do:
onsets smeared by the window, octaves and fifths half seen, long notes lost as they die away.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from warplens.demo.synthesis import SAMPLE_RATE, frequency

WINDOW = 4096
HOP = 512
FRAMES_PER_SECOND = SAMPLE_RATE / HOP

_UPDATES = 40
_LEVEL = 0.02
_SLOPE = 1.5


def spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute Hann-windowed magnitude spectra (N, WINDOW / 2 + 1); frame n is centred on sample n HOP."""
    padded = np.pad(samples, WINDOW // 2)
    frames = sliding_window_view(padded, WINDOW)[::HOP]
    window = np.hanning(WINDOW + 1)[:-1]
    spectra = np.abs(np.fft.rfft(frames * window, axis=1)) * (2 / window.sum())
    return np.asarray(spectra, np.float64)


def harmonic_templates(pitches: range) -> NDArray[np.float64]:
    """Compute spectra of ideal notes with partials 1 / k, k = 1..10: (len(pitches), WINDOW / 2 + 1)."""
    bins = np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW
    f0 = frequency(np.arange(pitches.start, pitches.stop, dtype=np.float64))
    templates = np.zeros((len(pitches), len(bins)))
    for k in range(1, 11):
        distance = np.abs(bins - k * f0[:, None]) * WINDOW / SAMPLE_RATE
        lobe = np.where(distance < 2, 0.5 + 0.5 * np.cos(np.pi * distance / 2), 0.0)
        templates += lobe / k
    return templates


def pitch_salience(samples: NDArray[np.float32], pitches: range) -> NDArray[np.float32]:
    """Compute salience (N, len(pitches)) in (0, 1) of mono samples, N = 1 + len(samples) // HOP.

    With spectra S (N, F) and templates T (P, F), activations A (N, P) come from multiplicative updates
    A <- A * (S T') / (A T T'), which lower ||S - A T||^2 and keep A non-negative. The salience is the
    logistic function of log(A / level).
    """
    spectra = spectrogram(samples)
    templates = harmonic_templates(pitches)
    wanted = spectra @ templates.T
    gram = templates @ templates.T
    activations = np.full(wanted.shape, 0.01)
    for _ in range(_UPDATES):
        activations *= wanted / (activations @ gram + 1e-12)
    odds = (activations / _LEVEL) ** _SLOPE
    return np.asarray(np.clip(odds / (1 + odds), 1e-3, 1 - 1e-3), np.float32)
