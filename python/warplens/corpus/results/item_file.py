"""File of one item, OUT/items/<id>.npz: written whole or not at all, same results, same bytes.

Arrays: `about` (text, JSON: the key, a hash of input and settings, and what is a single value), `gamma` (G,),
`value` (G,), `h` (G,N), `y_mod` (G,N,D), with named fields `measures` (G,), those of `items.csv`, `events`
(K,), start and stop in weak-target frames and feature, `levels` (G,K), what is kept of each event's level; on
request `H` (G,N,M). Under other losses than sdtw also `presence` (G,N), and where targets are classes
`classes` (D,), those over which y_mod is kept. They are few because every array of an npz file costs time.
"""

import dataclasses
import io
import json
import os
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.events import Events
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.levels import RECORD, EventLevels
from warplens.analysis.losses.options import Loss
from warplens.corpus.inputs.source import check_id
from warplens.io import ItemError, open_npz
from warplens.io.arrays.stored_zip import MOST_BYTES, stored_archive
from warplens.io.replacing import replacing

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)

_EVENT = tuple(field.name for field in dataclasses.fields(Events))
_EVENT_RECORD = np.dtype([(name, np.int64) for name in _EVENT])


def item_path(out: Path, item_id: str) -> Path:
    """Return the path of the results of an item.

    Args:
        out: folder of the results.
        item_id: id of the item; a slash makes folders.

    Raises:
        ValueError: the id would lead out of the folder (see `check_id`).
    """
    return out / "items" / f"{check_id(item_id)}.npz"


def save_analysis(path: Path, analysis: ItemAnalysis, key: str) -> None:
    """Write the file of one item and make its folders."""
    about: dict[str, Any] = {
        "key": key,
        "cost": analysis.cost,
        "step_weights": analysis.step_weights,
        "threshold": analysis.threshold,
        "shape": analysis.shape,
        "empty_targets": analysis.empty_targets,
        "fps": analysis.fps,
        "lowest_pitch": analysis.lowest_pitch,
    }
    if analysis.loss.name != "sdtw":
        about["loss"] = {"name": analysis.loss.name, **analysis.loss.given}
        about["label_names"] = analysis.label_names
    arrays: dict[str, NDArray[Any]] = {
        "about": np.array(json.dumps(about)),
        "gamma": analysis.gammas,
        "value": analysis.table["value"],
        "h": analysis.h,
        "y_mod": analysis.y_mod,
        "measures": analysis.table,
        "events": _event_records(analysis.events),
        "levels": analysis.levels.records,
    }
    for name in ("H", "presence", "classes"):
        if (array := getattr(analysis, name)) is not None:
            arrays[name] = array
    with replacing(path) as file:
        members = {f"{name}.npy": _npy(array) for name, array in arrays.items()}
        if sum(array.nbytes for array in arrays.values()) < MOST_BYTES / 2:
            file.write(stored_archive(members))
        else:
            _write_large(file, members)


def read_analysis(path: Path) -> ItemAnalysis:
    """Read the file of one item.

    Args:
        path: the file, as `item_path` has it.

    Raises:
        ItemError: it is not such a file, or is damaged.
        OSError: it cannot be read.
    """
    return _read(path, None)


def load_analysis(path: Path, key: str) -> ItemAnalysis | None:
    """Read the file of one item; None unless it is sound and was written under this key."""
    if not os.path.exists(path):  # noqa: PTH110 - asked for every item of a first run, and several times as fast
        return None
    try:
        return _read(path, key)
    except (OSError, ItemError):
        return None


def _read(path: Path, key: str | None) -> ItemAnalysis:
    with open_npz(path) as archive:
        try:
            about = json.loads(archive["about"].item())
            if key is not None and about["key"] != key:
                raise ItemError("written from other input or under other settings")
            return _analysis_of(about, archive)
        except (KeyError, IndexError, TypeError) as error:
            raise ItemError(f"not the results of an item: {error}") from error


def _analysis_of(about: Mapping[str, Any], archive: Mapping[str, NDArray[Any]]) -> ItemAnalysis:
    n_frames, n_targets, n_features = about["shape"]
    horizontal, vertical, diagonal = about["step_weights"]
    events, levels = archive["events"], archive["levels"]
    if levels.dtype != RECORD:
        raise KeyError("levels of another kind")
    return ItemAnalysis(
        gammas=archive["gamma"],
        cost=about["cost"],
        step_weights=(horizontal, vertical, diagonal),
        threshold=about["threshold"],
        shape=(n_frames, n_targets, n_features),
        table=archive["measures"],
        h=archive["h"],
        y_mod=archive["y_mod"],
        events=Events(**{name: np.ascontiguousarray(events[name]) for name in _EVENT}),
        levels=EventLevels(levels),
        empty_targets=about["empty_targets"],
        H=archive.get("H"),
        fps=about["fps"],
        lowest_pitch=about["lowest_pitch"],
        loss=_loss_of(about.get("loss")),
        presence=archive.get("presence"),
        classes=archive.get("classes"),
        label_names=None if about.get("label_names") is None else tuple(about["label_names"]),
    )


def _loss_of(about: Mapping[str, Any] | None) -> Loss:
    if about is None:
        return Loss()
    try:
        options: dict[str, Any] = {
            name: tuple(each) if isinstance(each, list) else each for name, each in about.items()
        }
        return Loss(**options)
    except ValueError as error:
        raise KeyError(str(error)) from error


def _event_records(events: Events) -> NDArray[Any]:
    """Return one record for each event, (K,)."""
    records = np.empty(len(events), _EVENT_RECORD)
    for name in _EVENT:
        records[name] = getattr(events, name)
    return records


def _npy(array: NDArray[Any]) -> tuple[bytes, memoryview]:
    """Return an npy file in two parts, header and values."""
    return _npy_header(array.dtype, array.shape), np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _write_large(file: IO[bytes], members: Mapping[str, tuple[bytes, memoryview]]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, parts in members.items():
            with archive.open(zipfile.ZipInfo(name, _ZIP_EPOCH), "w", force_zip64=True) as stream:
                for part in parts:
                    stream.write(part)


@lru_cache(256)
def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()
