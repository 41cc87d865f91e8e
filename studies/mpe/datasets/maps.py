"""MAPS: piano pieces played by samplers and by a Disklavier.

`<instrument>/MUS/MAPS_MUS-<piece>_<instrument>.wav` and, beside it, `.txt` with the columns
`OnsetTime OffsetTime MidiPitch`, apart by tabs. ENSTDkAm and ENSTDkCl are the Disklavier, the usual test set.
"""

from functools import partial

from studies.mpe.datasets.recording import Recording, existing_folder, listed_notes
from studies.mpe.errors import StudyError


def maps(*, folder: str, instruments: tuple[str, ...] = ("ENSTDkAm", "ENSTDkCl")) -> list[Recording]:
    """List the pieces (MUS) of the instruments asked for.

    Raises:
        StudyError: the dataset, or an instrument of it, is missing.
    """
    root = existing_folder(
        folder,
        dataset="MAPS",
        where="https://adasp.telecom-paris.fr/resources/2010-07-08-maps-database",
        needed=tuple(f"{instrument}/MUS" for instrument in instruments),
    )
    recordings = []
    for instrument in instruments:
        pieces = sorted((root / instrument / "MUS").glob(f"MAPS_MUS-*_{instrument}.wav"))
        if not pieces:
            raise StudyError(
                f"{root / instrument / 'MUS'} holds no MAPS_MUS-*_{instrument}.wav; unpack it as published."
            )
        recordings += [
            Recording(
                id=f"{instrument}/{path.stem}",
                work=path.stem.removeprefix("MAPS_MUS-").removesuffix(f"_{instrument}"),
                audio=path,
                notes=partial(listed_notes, path.with_suffix(".txt")),
            )
            for path in pieces
        ]
    return recordings
