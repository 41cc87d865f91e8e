"""Readers of datasets as they are published."""

from collections.abc import Callable
from pathlib import Path

from studies.mpe.configuration import Source
from studies.mpe.datasets.bpsd import bpsd
from studies.mpe.datasets.maestro import maestro
from studies.mpe.datasets.maps import maps
from studies.mpe.datasets.recording import Recording
from studies.mpe.datasets.rendered import rendered
from studies.mpe.datasets.swd import swd
from studies.mpe.errors import StudyError

READERS: dict[str, Callable[..., list[Recording]]] = {
    "maestro": maestro,
    "bpsd": bpsd,
    "swd": swd,
    "maps": maps,
}

__all__ = ["READERS", "Recording", "recordings_of"]


def recordings_of(source: Source, data: Path) -> list[Recording]:
    """List the recordings of a source; those that are rendered lie in the folder `data`.

    Raises:
        StudyError: the dataset is not known or not there, or its options are others.
    """
    if source.dataset == "rendered":
        reader, options = rendered, {"data": data, **source.options}
    elif source.dataset in READERS:
        reader, options = READERS[source.dataset], dict(source.options)
    else:
        raise StudyError(
            f"There is no dataset {source.dataset!r}; set one of {', '.join((*READERS, 'rendered'))}."
        )
    try:
        return reader(**options)
    except TypeError as error:
        raise StudyError(
            f"Options of dataset {source.dataset!r}: {error}; change them in the configuration."
        ) from None
