"""Loudness of samples as ITU-R BS.1770-4 measures it, so that two channels can be heard beside each other.

The power of overlapping blocks of 400 ms is weighed over frequency ("K": a high pass and a shelf), and
averaged over the blocks that are neither silent nor 10 LU softer than the rest. The weights are those of the
filters' analogue prototypes, taken as gains over each block's spectrum.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.sonify.tones import SAMPLE_RATE

_BLOCK, _STEP = 0.4, 0.1
_OFFSET = -0.691
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_SHELF = (1681.974450955533, 3.999843853973347, 0.7071752369554196)
_HIGH_PASS = (38.13547087602444, 0.5003270373238773)
_SHELF_EXPONENT = 0.4996667741545416
_BLOCKS_AT_A_TIME = 256


def loudness(samples: NDArray[Any], sample_rate: int = SAMPLE_RATE) -> float:
    """Measure the gated loudness of one channel in LUFS, -inf for silence.

    A sine of 997 Hz at full scale has -3.01 LUFS. Sounds shorter than a block are measured as one.

    Args:
        samples: (samples,), full scale at 1.
        sample_rate: samples a second.

    Raises:
        ValueError: samples are not one channel.
    """
    samples = np.asarray(samples, np.float32)
    if samples.ndim != 1:
        raise ValueError(f"samples: shape {samples.shape}, it must be (samples,)")
    power = _block_powers(samples, sample_rate)
    with np.errstate(divide="ignore"):
        power = power[_lufs(power) > _ABSOLUTE_GATE]
        if power.size == 0:
            return -np.inf
        power = power[_lufs(power) > _lufs(power.mean()) + _RELATIVE_GATE]
    return float(_lufs(power.mean()))


def like_loud(
    recording: NDArray[Any], sonification: NDArray[Any], sample_rate: int = SAMPLE_RATE
) -> tuple[float, float]:
    """Return the gains of a recording and of sonifications at which both are heard equally loud.

    The recording is brought to the loudness of the sonification. Where it would be clipped, both are softer.
    Several sonifications that are to be compared need the gains of one of them.

    Args:
        recording: (samples,).
        sonification: (samples,).
        sample_rate: samples a second of both.

    Returns:
        Their gains; (1, 1) where one of them is silent.
    """
    difference = loudness(sonification, sample_rate) - loudness(recording, sample_rate)
    if not np.isfinite(difference):
        return 1.0, 1.0
    gain = 10 ** (difference / 20)
    softer = min(1.0, 1.0 / (gain * float(np.abs(recording).max())))
    return gain * softer, softer


def _lufs(power: Any) -> Any:
    return _OFFSET + 10 * np.log10(power)


def _block_powers(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Return the weighed mean square of each block."""
    length, step = round(_BLOCK * sample_rate), round(_STEP * sample_rate)
    if len(samples) == 0:
        return np.zeros(0)
    length = min(length, len(samples))
    blocks = np.lib.stride_tricks.sliding_window_view(samples, length)[::step]
    gains = _power_gains(np.asarray(np.fft.rfftfreq(length, 1 / sample_rate), np.float64))
    # All frequencies but 0 and, of even lengths, the last stand for their negatives too.
    gains[1 : (length + 1) // 2] *= 2
    powers = [
        np.square(np.abs(np.fft.rfft(blocks[first : first + _BLOCKS_AT_A_TIME], axis=1))) @ gains
        for first in range(0, len(blocks), _BLOCKS_AT_A_TIME)
    ]
    return np.asarray(np.concatenate(powers) / length**2, np.float64)


def _power_gains(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |H(f)|^2 of the two filters one after the other."""
    f_shelf, decibels, q_shelf = _SHELF
    s = 1j * frequency / f_shelf
    high = 10 ** (decibels / 20)
    shelf = (high * s**2 + high**_SHELF_EXPONENT / q_shelf * s + 1) / (s**2 + s / q_shelf + 1)
    f_pass, q_pass = _HIGH_PASS
    s = 1j * frequency / f_pass
    high_pass = s**2 / (s**2 + s / q_pass + 1)
    return np.asarray(np.square(np.abs(shelf * high_pass)), np.float64)
