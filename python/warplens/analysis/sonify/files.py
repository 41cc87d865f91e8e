"""Sound files: recordings read, sonifications written beside them."""

import wave
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.sonify.tones import SAMPLE_RATE


def stereo(recording: NDArray[Any], sonification: NDArray[Any]) -> NDArray[np.float32]:
    """Put the recording on the left, the sonification on the right; silence follows the shorter one.

    Args:
        recording: (samples,) or (samples, channels), whose mean is taken, at the sonification's sample rate
            (`read_recording` resamples).
        sonification: (samples,).

    Returns:
        (samples, 2) float32.

    Raises:
        ValueError: the shapes are others.
    """
    left = np.asarray(recording, np.float32)
    right = np.asarray(sonification, np.float32)
    if left.ndim not in (1, 2) or right.ndim != 1:
        raise ValueError(
            f"recording, sonification: shapes {left.shape} and {right.shape}, they must be (samples,) or "
            "(samples, channels), and (samples,)"
        )
    if left.ndim == 2:
        left = left.mean(axis=1)
    both = np.zeros((max(len(left), len(right)), 2), np.float32)
    both[: len(left), 0], both[: len(right), 1] = left, right
    return both


def read_recording(file: Path | IO[bytes], sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Read a recording as mono samples at a sample rate, (samples,) float32; needs the extra `sound`.

    Args:
        file: a file that libsndfile reads (WAV, FLAC, OGG, MP3 ...), or one that is open for reading bytes.
        sample_rate: samples a second of the result.

    Raises:
        soundfile.LibsndfileError: the file is none that libsndfile reads.
    """
    import soundfile
    import soxr

    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, sample_rate), np.float32)


def write_wav(file: Path | IO[bytes], samples: NDArray[Any], sample_rate: int = SAMPLE_RATE) -> None:
    """Write samples in [-1, 1], (samples,) or (samples, channels), as 16-bit PCM; beyond it they are clipped.

    Args:
        file: path, or a file that is open for writing bytes.
        samples: mono (samples,) or several channels (samples, channels), real, in [-1, 1].
        sample_rate: samples a second.

    Raises:
        ValueError: samples have more dimensions.
        OSError: the file cannot be written.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2):
        raise ValueError(f"samples: shape {samples.shape}, it must be (samples,) or (samples, channels)")
    with wave.open(str(file) if isinstance(file, Path) else file, "wb") as sound:
        sound.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        sound.setsampwidth(2)
        sound.setframerate(sample_rate)
        sound.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
