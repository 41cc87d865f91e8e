"""Beethoven Piano Sonata Dataset (version 2): the first movements of 32 sonatas in eleven versions each.

`1_Audio/<piece>_<version>.wav`, `2_Annotations/ann_audio_note/<piece>_<version>.csv`
(`start;end;start_meas;end_meas;pitch;pitchname;timesig;articulation`) and
`2_Annotations/ann_audio_measure/<piece>_<version>.csv` (`time;measure`), where a piece is called as
`Beethoven_Op002No1-01`. Four versions come with the dataset (AS35, FG58, FJ62, WK64), seven must be bought.
"""

from functools import partial

from studies.mpe.datasets.recording import Recording, existing_folder, listed_notes, measure_times
from studies.mpe.errors import StudyError

_AUDIO, _NOTES, _MEASURES = "1_Audio", "2_Annotations/ann_audio_note", "2_Annotations/ann_audio_measure"


def bpsd(*, folder: str, versions: tuple[str, ...]) -> list[Recording]:
    """List all movements in the versions asked for.

    Raises:
        StudyError: the dataset, or a version of it, is missing.
    """
    root = existing_folder(
        folder,
        dataset="The Beethoven Piano Sonata Dataset",
        where="https://doi.org/10.5281/zenodo.12783403",
        needed=(_AUDIO, _NOTES, _MEASURES),
    )
    recordings = []
    for version in versions:
        audio = sorted((root / _AUDIO).glob(f"*_{version}.wav"))
        if not audio:
            there = sorted({path.stem.rpartition("_")[2] for path in (root / _AUDIO).glob("*.wav")})
            raise StudyError(
                f"{root / _AUDIO} has no recording of version {version!r} (versions there: "
                f"{', '.join(there) or 'none'}); set `versions` to some of those, or add the recordings."
            )
        for path in audio:
            name = path.stem
            recordings.append(
                Recording(
                    id=name,
                    work=name.rpartition("_")[0],
                    audio=path,
                    notes=partial(listed_notes, root / _NOTES / f"{name}.csv"),
                    measures=partial(measure_times, root / _MEASURES / f"{name}.csv", "time"),
                )
            )
    return recordings
