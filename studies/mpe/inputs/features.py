"""Log-mel spectra and strong targets of recordings, computed once and read as needed."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from studies.mpe.configuration import Source
from studies.mpe.datasets import Recording, recordings_of
from studies.mpe.errors import StudyError
from studies.mpe.inputs.frames import (
    FPS,
    HIGHEST_HZ,
    HOP,
    LOWEST_HZ,
    LOWEST_PITCH,
    N_MELS,
    N_PITCHES,
    SAMPLE_RATE,
    WINDOW,
)
from warplens.analysis.sonify import read_recording
from warplens.io import ItemError, roll_of

LEAST_MAGNITUDE = 1e-5
"""Mel magnitudes are taken as at least this before the logarithm."""

_FRAMES_AT_ONCE = 4096


@dataclass(frozen=True)
class Features:
    """Features and strong target of one recording; arrays are read from disk as they are used.

    Attributes:
        id: id of the recording.
        work: name of the work that is played.
        dataset: name of its dataset.
        mel: (N,229) float32, log-mel magnitudes.
        roll: (N,88) uint8, the strong target.
        measures: (K,) seconds, or None.
    """

    id: str
    work: str
    dataset: str
    mel: NDArray[np.float32]
    roll: NDArray[np.uint8]
    measures: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.mel)


def log_mel(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute log max(1e-5, mel magnitude), (N,229), at 16 kHz: HTK bands from 30 to 8000 Hz, hop 512.

    Frame n is centred on sample 512 n; beyond its ends the sound is silent.
    """
    # The filters alone: all that reads sound stays unimported.
    from librosa.filters import mel

    filters = mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=N_MELS, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, htk=True).T
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)  # periodic
    padded = np.pad(np.asarray(audio, np.float32), WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    features = np.empty((len(frames), N_MELS), np.float32)
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        part = slice(first, first + _FRAMES_AT_ONCE)
        magnitudes = np.abs(scipy.fft.rfft(frames[part] * window, axis=1))  # (N,1025)
        features[part] = np.log(np.maximum(magnitudes @ filters, LEAST_MAGNITUDE))
    return features


def compute_features(source: Source, data: Path, *, progress: Callable[[str], None] = lambda _: None) -> None:
    """Compute the features of a source that are not there yet.

    Raises:
        StudyError: the dataset is missing, or a recording of it cannot be read.
    """
    for recording in recordings_of(source, data):
        folder = _folder(source, data) / recording.id
        if not folder.exists():
            progress(recording.id)
            _compute(recording, folder)


def read_features(sources: Sequence[Source], data: Path) -> list[Features]:
    """Read the features of all recordings of sources.

    Raises:
        StudyError: they are not computed yet.
    """
    features = []
    for source in sources:
        for recording in recordings_of(source, data):
            folder = _folder(source, data) / recording.id
            if not folder.exists():
                raise StudyError(
                    f"There are no features of {recording.id} in {folder.parent}; run the stage `features` "
                    "first."
                )
            measures = folder / "measures.npy"
            features.append(
                Features(
                    id=recording.id,
                    work=recording.work,
                    dataset=source.dataset,
                    mel=np.load(folder / "mel.npy", mmap_mode="r"),
                    roll=np.load(folder / "roll.npy", mmap_mode="r"),
                    measures=np.load(measures) if measures.exists() else None,
                )
            )
    return features


def _folder(source: Source, data: Path) -> Path:
    settings = (
        SAMPLE_RATE,
        WINDOW,
        HOP,
        N_MELS,
        LOWEST_HZ,
        HIGHEST_HZ,
        LEAST_MAGNITUDE,
        N_PITCHES,
        LOWEST_PITCH,
    )
    origin = [str(source.options.get(key, "")) for key in ("folder", "soundfont", "program")]
    content = json.dumps([source.dataset, origin, settings])
    return data / "features" / f"{source.dataset}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _compute(recording: Recording, folder: Path) -> None:
    if not recording.audio.exists():
        raise StudyError(
            f"The recording {recording.audio} does not exist; run the stage `render` first, or unpack the "
            "dataset "
            "as published."
        )
    try:
        audio = read_recording(recording.audio, SAMPLE_RATE)
    except Exception as error:  # libraries that read sound raise many kinds
        raise StudyError(f"{recording.audio} cannot be read as sound ({error}); unpack it again.") from None
    mel = log_mel(audio)
    try:
        roll = roll_of(
            recording.notes(),
            n_frames=len(mel),
            n_features=N_PITCHES,
            fps=FPS,
            lowest_pitch=LOWEST_PITCH,
            dtype=np.dtype(np.float32),
        )
    except ItemError as error:
        raise StudyError(f"Notes of {recording.id}: {error}") from None
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        np.save(part / "mel.npy", mel)
        np.save(part / "roll.npy", roll.astype(np.uint8))
        if recording.measures is not None:
            np.save(part / "measures.npy", recording.measures())
        part.replace(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
