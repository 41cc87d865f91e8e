"""Synthesis of levels: a target, a modified target or a prediction heard as notes.

Feature d sounds as a tone at its pitch whose amplitude follows its level, on one scale for all sounds:
nothing is normalised to its own peak, so a note that has faded in Y_mod is heard faded. Amplitude is
proportional to the level: a level of one half is 6 dB softer, a level of 0.1 20 dB softer. Loudness as people
judge it grows like amplitude^0.6 (Stevens); `exponent=1 / 0.6` makes half the level sound half as loud.

Within a hop between two frames the level moves linearly, so a tone of frequency f in it is

    (a + b t) sin(p + 2 pi f t) = (a + b t) (sin p cos 2 pi f t + cos p sin 2 pi f t),

with t from the start of the hop: the sines of t are the same in all hops, and a piece is a product of
matrices (hops, tones) @ (tones, samples of a hop).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 22050
PARTIALS = (1.0, 0.5, 0.25, 0.125)
"""Amplitudes of the harmonics of a tone; the upper ones make low pitches audible on small loudspeakers."""

CONCERT_A = 440.0
FADE_IN = 0.005
"""Seconds: a sound that starts at full level would click."""

_HOPS_AT_A_TIME = 256
_MOST_SAMPLES_OF_A_HOP = 1024  # longer hops are divided, so that the table of sines stays small
_HIGHEST_SHARE_OF_NYQUIST = 0.95
_LIMIT_FROM = 0.8
_OCTAVES_OF_CHROMA = 7
_CENTRE_OF_CHROMA, _WIDTH_OF_CHROMA = 64.0, 12.0


def sonify(
    levels: NDArray[Any],
    fps: float,
    lowest_pitch: int | None = None,
    sample_rate: int = SAMPLE_RATE,
    *,
    voices: float = 8.0,
    exponent: float = 1.0,
) -> NDArray[np.float32]:
    """Turn levels into sound.

    Frame n has its level at n / fps seconds; between frames levels are interpolated linearly, and after the
    last one they fade out within a hop. The sound is scaled by 0.8 / (sqrt(voices) sum of the partials'
    amplitudes) whatever the levels are; what then exceeds 0.8 is limited smoothly.

    Args:
        levels: (N, D), such as Y_mod or predictions, 0 to 1; negative ones are silent.
        fps: frames a second.
        lowest_pitch: MIDI number of feature 0, for features that are semitones. None is for D = 12 chroma
            features from C on, which sound in all octaves at once (Shepard tones).
        sample_rate: samples a second.
        voices: how many notes sound together at level 1; see `most_voices`. Sounds that are to be compared
            need the same.
        exponent: amplitude = level^exponent.

    Returns:
        (round(N sample_rate / fps),) float32 in [-1, 1].

    Raises:
        ValueError: levels are not (N, D) or not finite, fps, sample_rate, voices or exponent are not
            positive, fps is above sample_rate, or lowest_pitch is None and D is not 12.
    """
    levels = _checked(levels, fps, lowest_pitch, sample_rate, voices, exponent)
    n_samples = round(len(levels) * sample_rate / fps)
    amplitudes = np.maximum(levels, 0.0) ** exponent
    sounding = np.flatnonzero(amplitudes.any(axis=0))
    if n_samples == 0 or sounding.size == 0:
        return np.zeros(n_samples, np.float32)
    amplitudes, hop = _divided_hops(amplitudes[:, sounding], sample_rate / fps)
    tones = [_partials(int(d), lowest_pitch, sample_rate) for d in sounding]
    frequency = np.concatenate([tone[0] for tone in tones]) / sample_rate  # cycles a sample
    strength = np.concatenate([tone[1] for tone in tones])
    owner = np.repeat(np.arange(len(tones)), [len(tone[0]) for tone in tones])
    table = _SineTable(frequency, strength, owner, hop)
    gain = _LIMIT_FROM / (np.sqrt(voices) * sum(PARTIALS))
    sound = np.empty(n_samples, np.float32)
    done = 0
    for first in range(0, len(amplitudes) - 1, _HOPS_AT_A_TIME):
        block = table.samples(amplitudes, first, min(first + _HOPS_AT_A_TIME, len(amplitudes) - 1), gain)
        sound[done : done + len(block)] = block[: n_samples - done]
        done += len(block)
    ramp = np.minimum(np.arange(min(n_samples, round(FADE_IN * sample_rate))) / (FADE_IN * sample_rate), 1)
    sound[: len(ramp)] *= ramp.astype(np.float32)
    return sound


def most_voices(weak: NDArray[Any]) -> float:
    """Return the largest sum of levels over a weak target's frames, at least 1: the `voices` of its sounds.

    Rows of Y_mod are convex combinations of those of the weak target, so theirs is never larger.

    Args:
        weak: weak target, (M, D); negative levels count as 0.
    """
    return max(1.0, float(np.maximum(weak, 0).sum(axis=1, dtype=np.float64).max(initial=0.0)))


class _SineTable:
    """Table of the sines that all hops share."""

    def __init__(
        self,
        frequency: NDArray[np.floating[Any]],
        strength: NDArray[np.floating[Any]],
        owner: NDArray[np.int64],
        hop: float,
    ) -> None:
        self._frequency, self._strength, self._owner, self._hop = frequency, strength, owner, hop
        # Phases an irrational apart: tones that start in step would add up to a click.
        self._phase = np.arange(len(frequency)) * (np.sqrt(5) - 1) / 2
        self._t = np.arange(int(np.ceil(hop)) + 1)
        angle = 2 * np.pi * np.multiply.outer(frequency, self._t)
        self._waves = np.concatenate([np.cos(angle), np.sin(angle)]).astype(np.float32)  # (2 tones, samples)

    def samples(
        self, amplitudes: NDArray[np.float64], first: int, stop: int, gain: float
    ) -> NDArray[np.float32]:
        """Compute the samples of hops first to stop, between rows first to stop of the amplitudes (., D)."""
        bounds = np.ceil(np.arange(first, stop + 1) * self._hop - 1e-6)
        start, count = bounds[:-1], np.diff(bounds)
        angle = 2 * np.pi * ((start[:, None] * self._frequency + self._phase) % 1.0)
        sines = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
        slope = np.diff(amplitudes[first : stop + 1], axis=0) / self._hop
        late = start - np.arange(first, stop) * self._hop  # of the first sample after its frame
        level = amplitudes[first:stop] + slope * late[:, None]
        of_tone = gain * self._strength

        def product(per_feature: NDArray[np.float64]) -> NDArray[np.float32]:
            weights = np.tile(per_feature[:, self._owner] * of_tone, 2) * sines
            return np.asarray(weights.astype(np.float32) @ self._waves, np.float32)

        hops = product(level) + product(slope) * self._t.astype(np.float32)
        return _limited(hops[self._t < count[:, None]])


def _limited(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Limit samples smoothly: those above `_LIMIT_FROM` bend towards 1 without a corner."""
    size = np.abs(samples)
    room = np.float32(1 - _LIMIT_FROM)
    bent = np.float32(_LIMIT_FROM) + room * np.tanh((size - np.float32(_LIMIT_FROM)) / room)
    return np.where(size > _LIMIT_FROM, np.copysign(np.minimum(bent, 1), samples), samples)


def _divided_hops(amplitudes: NDArray[np.float64], hop: float) -> tuple[NDArray[np.float64], float]:
    """Append a row of silence to the amplitudes and divide long hops by linear interpolation."""
    amplitudes = np.concatenate([amplitudes, np.zeros((1, amplitudes.shape[1]))])
    parts = int(np.ceil(hop / _MOST_SAMPLES_OF_A_HOP))
    if parts == 1:
        return amplitudes, hop
    share = (np.arange(parts) / parts)[None, :, None]
    between = amplitudes[:-1, None] * (1 - share) + amplitudes[1:, None] * share
    return np.concatenate([between.reshape(-1, amplitudes.shape[1]), amplitudes[-1:]]), hop / parts


def _partials(
    feature: int, lowest_pitch: int | None, sample_rate: int
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Return frequencies in Hz and amplitudes of the partials of a feature below the Nyquist frequency."""
    if lowest_pitch is None:
        pitch = feature + 12.0 * np.arange(1, 1 + _OCTAVES_OF_CHROMA) + 12.0
        frequency = CONCERT_A * 2.0 ** ((pitch - 69.0) / 12.0)
        strength = np.exp(-0.5 * ((pitch - _CENTRE_OF_CHROMA) / _WIDTH_OF_CHROMA) ** 2)
        strength *= sum(PARTIALS) / strength.sum()
    else:
        f0 = CONCERT_A * 2.0 ** ((lowest_pitch + feature - 69.0) / 12.0)
        frequency, strength = f0 * np.arange(1.0, 1 + len(PARTIALS)), np.array(PARTIALS)
    heard = frequency < _HIGHEST_SHARE_OF_NYQUIST * sample_rate / 2
    return frequency[heard], strength[heard]


def _checked(
    levels: NDArray[Any],
    fps: float,
    lowest_pitch: int | None,
    sample_rate: int,
    voices: float,
    exponent: float,
) -> NDArray[np.float64]:
    levels = np.asarray(levels, np.float64)
    if levels.ndim != 2:
        raise ValueError(f"levels: shape {levels.shape}, it must be (N, D)")
    if not np.isfinite(levels).all():
        frame, feature = np.argwhere(~np.isfinite(levels))[0]
        raise ValueError(
            f"levels: {levels[frame, feature]} at frame {frame}, feature {feature}; they must be finite"
        )
    given = {"fps": fps, "sample_rate": sample_rate, "voices": voices, "exponent": exponent}
    for name, value in given.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}: is {value!r}, it must be positive")
    if fps > sample_rate:
        raise ValueError(f"fps: is {fps:g}, above sample_rate = {sample_rate}; give a higher sample_rate")
    if lowest_pitch is None and levels.shape[1] != 12:
        raise ValueError(
            f"lowest_pitch: is None, but levels have {levels.shape[1]} features; without the MIDI number of "
            "feature 0 only 12 chroma features can sound"
        )
    return levels
