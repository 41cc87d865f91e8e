"""Schubert Winterreise Dataset (version 2): 24 songs in several versions.

`01_RawData/audio_wav/<song>_<version>.wav`, `02_Annotations/ann_audio_note/<song>_<version>.csv`
(`start;end;pitch;pitchclass;instrument`) and `02_Annotations/ann_audio_measure/<song>_<version>.csv`
(`start;measure`), where a song is called as `Schubert_D911-01`. HU33 and SC06 come with the dataset.
"""

from functools import partial

from studies.mpe.datasets.recording import Recording, existing_folder, listed_notes, measure_times
from studies.mpe.errors import StudyError

_AUDIO = "01_RawData/audio_wav"
_NOTES, _MEASURES = "02_Annotations/ann_audio_note", "02_Annotations/ann_audio_measure"


def swd(*, folder: str, versions: tuple[str, ...], songs: tuple[int, ...] = ()) -> list[Recording]:
    """List the songs (by default all 24) in the versions asked for.

    Raises:
        StudyError: the dataset, a version or a song is missing.
    """
    root = existing_folder(
        folder,
        dataset="The Schubert Winterreise Dataset",
        where="https://doi.org/10.5281/zenodo.3968389",
        needed=(_AUDIO, _NOTES, _MEASURES),
    )
    recordings = []
    for version in versions:
        for song in songs or range(1, 25):
            name = f"Schubert_D911-{song:02d}_{version}"
            audio = root / _AUDIO / f"{name}.wav"
            if not audio.exists():
                raise StudyError(
                    f"{audio} does not exist; set `versions` and `songs` to recordings that lie in "
                    f"{root / _AUDIO}, or add it."
                )
            recordings.append(
                Recording(
                    id=name,
                    work=f"Schubert_D911-{song:02d}",
                    audio=audio,
                    notes=partial(listed_notes, root / _NOTES / f"{name}.csv"),
                    measures=partial(measure_times, root / _MEASURES / f"{name}.csv", "start"),
                )
            )
    return recordings
