"""The sounds of one item, OUT/items/<id>.gamma<g>.wav: Y_mod at each gamma, beside the recording if known."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.corpus.inputs.source import check_id
from warplens.io import Item, ItemError
from warplens.io.replacing import replacing

if TYPE_CHECKING:
    from warplens.analysis.report import Sound

_MOST_SECONDS = 4 * 3600
"""A longer sound is a mistake in the frames a second, and would fill the memory."""

_MOST_SECONDS_APART = 1.0
"""By which recording and predictions may differ: frames may end early, silence may be cut."""

_FORMAT = 2
"""Version of the sounds, raised when the same item and settings give others: older ones are made again."""

RECORDING_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def sound_path(out: Path, item_id: str, gamma: float) -> Path:
    """Return the path of the sound of an item at one gamma.

    Raises:
        ValueError: the id would lead out of the folder (see `check_id`).
    """
    return out / "items" / f"{check_id(item_id)}.gamma{gamma:.12g}.wav"


def find_recording(recordings: Path | None, item_id: str) -> Path | None:
    """Find the recording of an item, FOLDER/<id> with one of the known suffixes; None if there is none."""
    if recordings is None:
        return None
    candidates = (recordings / f"{check_id(item_id)}{suffix}" for suffix in RECORDING_SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def recording_warning(recordings: Path | None, item_id: str, item: Item) -> str | None:
    """Say that an item has no recording, or one of another length; None if neither, or if none are wanted."""
    if recordings is None:
        return None
    recording = find_recording(recordings, item_id)
    if recording is None:
        return f"no recording: {recordings} has no {item_id}{', '.join(RECORDING_SUFFIXES)}"
    if item.fps is None:
        return None
    # Here, not above: few runs make sounds.
    import soundfile

    try:
        recorded = soundfile.info(recording).duration
    except RuntimeError:  # libsndfile's; writing the sounds says what it is
        return None
    seconds = len(item.predictions) / item.fps
    if abs(recorded - seconds) <= _MOST_SECONDS_APART:
        return None
    return (
        f"its recording lasts {recorded:.1f} s, its predictions {seconds:.1f} s: is it the recording of this "
        "item, and is fps right?"
    )


def key_with_sounds(key: str, recording: Path | None) -> str:
    """Return the key of results with sounds, which also depend on the recording.

    Raises:
        OSError: the recording cannot be read.
    """
    digest = hashlib.sha256(f"{key} sounds {_FORMAT}".encode())
    if recording is not None:
        digest.update(recording.read_bytes())
    return digest.hexdigest()[:40]


def has_sounds(out: Path, item_id: str, gammas: Sequence[float]) -> bool:
    """Return True if the sounds of all gammas exist."""
    return all(sound_path(out, item_id, gamma).is_file() for gamma in gammas)


def remove_sounds(out: Path, item_id: str, gammas: Sequence[float]) -> None:
    """Remove the sounds of an item."""
    for gamma in gammas:
        sound_path(out, item_id, gamma).unlink(missing_ok=True)


def write_sounds(
    out: Path, item_id: str, item: Item, analysis: ItemAnalysis, recording: Path | None
) -> str | None:
    """Write the sounds of an item; if it can have none, remove older ones and return the reason.

    Raises:
        OSError: they cannot be written.
    """
    # Here, not above: every worker process imports this module, few runs make sounds.
    from warplens.analysis.sonify import like_loud, most_voices, sonify, stereo, write_wav

    paths = [sound_path(out, item_id, float(gamma)) for gamma in analysis.gammas]
    try:
        if item.fps is None:
            raise ItemError("the frames a second are not known (key 'fps', or --fps)")
        seconds = len(item.predictions) / item.fps
        if seconds > _MOST_SECONDS:
            raise ItemError(
                f"{item.fps:g} frames a second make it {seconds / 3600:.3g} hours long (key 'fps')"
            )
        recorded = None if recording is None else _read(recording)
        gains: tuple[float, float] | None = None
        for path, y_mod in zip(paths, analysis.y_mod, strict=True):
            sound = sonify(y_mod, item.fps, item.lowest_pitch, voices=most_voices(item.weak))
            if recorded is not None:
                # Those of the smallest gamma for all of them: what fades is heard to fade.
                gains = gains or like_loud(recorded, sound)
                sound = stereo(gains[0] * recorded, gains[1] * sound)
            with replacing(path) as file:
                write_wav(file, sound)
    except (ValueError, MemoryError) as error:
        remove_sounds(out, item_id, analysis.gammas.tolist())
        return f"no sound: {error}"
    return None


def _read(recording: Path) -> NDArray[np.float32]:
    from warplens.analysis.sonify import read_recording

    try:
        return read_recording(recording)
    except RuntimeError as error:  # libsndfile's
        raise ItemError(f"its recording cannot be read: {error}") from error


def sounds_of(
    out: Path, item_id: str, gammas: Sequence[float], recording: Path | None
) -> "tuple[Sound, ...]":
    """Return the sounds as the report names them."""
    from warplens.analysis.report import Sound

    note = "" if recording is None else "left the recording, right Y_mod"
    paths = ((gamma, sound_path(out, item_id, gamma)) for gamma in gammas)
    return tuple(Sound(path.relative_to(out).as_posix(), gamma, note) for gamma, path in paths)
