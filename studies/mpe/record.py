"""Result of a finished cell of the table as a JSON file."""

import json
import math
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

NAME = "result.json"


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Write a result whole or not at all; numbers that are none become null."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in {**result, "machine": machine()}.items()
    }
    part = folder / f".{NAME}.{os.getpid()}.part"
    part.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    part.replace(folder / NAME)


def read_result(folder: Path, *, digest: str) -> dict[str, Any] | None:
    """Read the result in a folder; None where there is none of these settings."""
    try:
        result = json.loads((folder / NAME).read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return result if isinstance(result, dict) and result.get("digest") == digest else None


def machine() -> dict[str, Any]:
    """Describe the machine and the versions that a result is computed with."""
    versions = {}
    for name in ("warplens", "torch", "numpy", "librosa"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "?"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
