"""The first stages: fetching and rendering data, and computing features."""

from collections.abc import Callable

from studies.mpe.datasets import recordings_of
from studies.mpe.datasets.rendered import fetch_performances, render
from studies.mpe.inputs.features import compute_features
from studies.mpe.places import Places

Progress = Callable[[str], None]


def fetch(places: Places, progress: Progress) -> None:
    """Get the performances of the scaled study; of published datasets, check that they are there."""
    if any(
        source.dataset == "rendered" for sources in places.configuration.data.values() for source in sources
    ):
        files = fetch_performances(places.data)
        progress(f"{len(files)} performances in {files[0].parent}")
    else:
        for sources in places.configuration.data.values():
            for source in sources:
                progress(f"{source.dataset}: {len(recordings_of(source, places.data))} recordings")


def render_all(places: Places, progress: Progress) -> None:
    """Render the recordings of rendered sources."""
    for sources in places.configuration.data.values():
        for source in sources:
            if source.dataset == "rendered":
                for recording in recordings_of(source, places.data):
                    progress(recording.id)
                    options = {key: value for key, value in source.options.items() if key != "works"}
                    render(recording, data=places.data, **options)


def compute_all_features(places: Places, progress: Progress) -> None:
    """Compute the features of all parts."""
    for sources in places.configuration.data.values():
        for source in sources:
            compute_features(source, places.data, progress=progress)
