"""File of one item of a sweep, OUT/sweep/<id>.json: its sums, with a hash of input and settings."""

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from warplens.analysis.sweep.gamma_sweep import GammaSweep
from warplens.analysis.sweep.setting_sweep import SettingSweep
from warplens.corpus.inputs.source import check_id
from warplens.io.replacing import replacing

Swept = TypeVar("Swept", GammaSweep, SettingSweep)
"""The sums of an item, over gammas or over settings."""

_COUNTS = ("lost", "lost_to_collapse", "lost_to_blanks", "short_events", "hits", "active")


def sweep_path(out: Path, item_id: str) -> Path:
    """Return the path of the sums of an item.

    Raises:
        ValueError: the id would lead out of the folder (see `check_id`).
    """
    return out / "sweep" / f"{check_id(item_id)}.json"


def save_sweep(path: Path, sweep: GammaSweep | SettingSweep, key: str) -> None:
    """Write the file of one item, whole or not at all, and make its folders."""
    fields = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(sweep).items()
    }
    with replacing(path) as file:
        file.write((json.dumps({"key": key, **fields}) + "\n").encode())


def load_sweep(path: Path, key: str, kind: type[Swept]) -> Swept | None:
    """Read the file of one item, sums of a kind; None unless it is sound and was written under this key."""
    try:
        fields = json.loads(path.read_bytes())
        if fields["key"] != key:
            return None
        names = (field.name for field in dataclasses.fields(kind))
        return kind(**{name: _value(name, fields[name]) for name in names})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _value(name: str, field: Any) -> Any:
    return np.array(field, np.int64 if name in _COUNTS else np.float64) if isinstance(field, list) else field
