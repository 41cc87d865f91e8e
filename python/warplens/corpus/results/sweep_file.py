"""The file of one item of a sweep, OUT/sweep/<id>.json: its sums, under a hash of input and settings."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from warplens.analysis.gamma_sweep import GammaSweep
from warplens.corpus.inputs.source import check_id
from warplens.io.replacing import replacing

_FIELDS = tuple(field.name for field in dataclasses.fields(GammaSweep))
_COUNTS = ("lost", "lost_to_collapse", "short_events", "hits", "active")


def sweep_path(out: Path, item_id: str) -> Path:
    """Where the sums of an item lie.

    Raises:
        ValueError: the id would lead out of the folder (see `check_id`).
    """
    return out / "sweep" / f"{check_id(item_id)}.json"


def save_sweep(path: Path, sweep: GammaSweep, key: str) -> None:
    """Write the file of one item, whole or not at all; its folders are made."""
    fields = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(sweep).items()
    }
    with replacing(path) as file:
        file.write((json.dumps({"key": key, **fields}) + "\n").encode())


def load_sweep(path: Path, key: str) -> GammaSweep | None:
    """What was written under this key, None unless there is a sound file of it."""
    try:
        found = json.loads(path.read_bytes())
        if found["key"] != key:
            return None
        return GammaSweep(**{name: _value(name, found[name]) for name in _FIELDS})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _value(name: str, found: Any) -> Any:
    return np.array(found, np.int64 if name in _COUNTS else np.float64) if isinstance(found, list) else found
