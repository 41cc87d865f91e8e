"""The file of one item, OUT/items/<id>.npz: written whole or not at all, the same bytes for the same results.

Keys: `key` (hash of input and settings), `gamma` (G,), `h` (G,N), `y_mod` (G,N,D), the measures of
`items.csv` (G,) each, the events `event_feature`, `event_start`, `event_stop` (K,), their levels
`event_peak`, `event_peak_frame` and so on as `EventLevels` names them (G,K), `empty_targets`, `shape`, `cost`,
`step_weights`, `threshold`, and on request `H` (G,N,M).
"""

import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import EventLevels, Events
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.metrics import MEASURES
from warplens.corpus.sources import check_id
from warplens.io import ItemError, open_npz
from warplens.io.replacing import replacing

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def item_path(out: Path, item_id: str) -> Path:
    """Where the results of an item lie.

    Raises:
        ValueError: the id would lead out of the folder (see `check_id`).
    """
    return out / "items" / f"{check_id(item_id)}.npz"


def save_analysis(path: Path, analysis: ItemAnalysis, key: str) -> None:
    """Write the file of one item; its folders are made."""
    arrays: dict[str, Any] = {
        "key": key,
        "gamma": analysis.gammas,
        **{name: analysis.measures[name] for name in MEASURES},
        "h": analysis.h,
        "y_mod": analysis.y_mod,
        "event_feature": analysis.events.feature,
        "event_start": analysis.events.start,
        "event_stop": analysis.events.stop,
        **{f"event_{f.name}": getattr(analysis.levels, f.name) for f in fields(EventLevels)},
        "empty_targets": analysis.empty_targets,
        "shape": analysis.shape,
        "cost": analysis.cost,
        "step_weights": analysis.step_weights,
        "threshold": analysis.threshold,
    }
    if analysis.H is not None:
        arrays["H"] = analysis.H
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        _write_npz(file, {name: np.asarray(array) for name, array in arrays.items()})


def read_analysis(path: Path) -> ItemAnalysis:
    """Read the file of one item.

    Raises:
        ItemError: it is not such a file, or is damaged.
        OSError: it cannot be read.
    """
    return _read(path, None)


def load_analysis(path: Path, key: str) -> ItemAnalysis | None:
    """As `read_analysis`, but None unless there is a sound file that was written under this key."""
    try:
        return _read(path, key)
    except (OSError, ItemError):
        return None


def _read(path: Path, key: str | None) -> ItemAnalysis:
    with open_npz(path) as archive:
        try:
            if key is not None and archive["key"].item() != key:
                raise ItemError("written from other input or under other settings")
            return _analysis_of(archive)
        except KeyError as error:
            raise ItemError(f"not the results of an item: {error.args[0]}") from error


def _analysis_of(archive: Mapping[str, NDArray[Any]]) -> ItemAnalysis:
    n_frames, n_targets, n_features = (int(size) for size in archive["shape"])
    horizontal, vertical, diagonal = (float(weight) for weight in archive["step_weights"])
    return ItemAnalysis(
        gammas=archive["gamma"],
        cost=str(archive["cost"].item()),
        step_weights=(horizontal, vertical, diagonal),
        threshold=float(archive["threshold"]),
        shape=(n_frames, n_targets, n_features),
        measures={name: archive[name] for name in MEASURES},
        h=archive["h"],
        y_mod=archive["y_mod"],
        events=Events(archive["event_feature"], archive["event_start"], archive["event_stop"]),
        levels=EventLevels(**{f.name: archive[f"event_{f.name}"] for f in fields(EventLevels)}),
        empty_targets=float(archive["empty_targets"]),
        empty_share=archive["empty_share"],
        H=archive.get("H"),
    )


def _write_npz(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """As `np.savez`, with the time of every member fixed."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _ZIP_EPOCH)
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
