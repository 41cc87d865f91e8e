"""MAESTRO v3: piano performances with MIDI of the same keys.

`maestro-v3.0.0.csv` names, apart by commas, `canonical_composer, canonical_title, split, year, midi_filename,
audio_filename, duration`; files are relative to it. A note lasts until its key and the pedal are up, or it is
struck again, as in Onsets and Frames.
"""

from functools import partial
from pathlib import Path

from studies.mpe.datasets.pedal import pedalled_notes
from studies.mpe.datasets.recording import Recording, existing_folder, read_columns
from studies.mpe.errors import StudyError

TABLE = "maestro-v3.0.0.csv"
COLUMNS = ("canonical_composer", "canonical_title", "split", "midi_filename", "audio_filename")
SPLITS = ("train", "validation", "test")


def maestro(*, folder: str, split: str) -> list[Recording]:
    """List the performances of one of the published splits.

    Raises:
        StudyError: the dataset is missing, or its table is another.
    """
    if split not in SPLITS:
        raise StudyError(f"MAESTRO has no split {split!r}; set one of {', '.join(SPLITS)}.")
    root = existing_folder(
        folder, dataset="MAESTRO v3", where="https://magenta.tensorflow.org/datasets/maestro", needed=(TABLE,)
    )
    rows = read_columns(root / TABLE, COLUMNS, delimiter=",")
    return [
        Recording(
            id=str(Path(row["audio_filename"]).with_suffix("")),
            work=f"{row['canonical_composer']}: {row['canonical_title']}",
            audio=root / row["audio_filename"],
            notes=partial(pedalled_notes, root / row["midi_filename"]),
        )
        for row in rows
        if row["split"] == split
    ]
