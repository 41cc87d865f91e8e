"""OUT/run.json: what was run, when and where; all that differs between two runs of the same is here alone."""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import warplens as wl
from warplens.io.replacing import replacing


class RunRecord:
    """Begins when it is made, and is written at the end."""

    def __init__(self, command: str, inputs: Sequence[Path]) -> None:
        self._what = {"command": command, "inputs": [str(path) for path in inputs]}
        self._started = datetime.now(UTC)
        self._begun = time.monotonic()

    def write(self, out: Path, facts: Mapping[str, Any]) -> None:
        """Write OUT/run.json: `facts` as JSON takes them, and times, host and versions."""
        record = {
            **self._what,
            **facts,
            "started": self._started.isoformat(),
            "seconds": round(time.monotonic() - self._begun, 3),
            "host": platform.node(),
            "versions": {
                "warplens": wl.__version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
            },
        }
        with replacing(out / "run.json") as file:
            file.write((json.dumps(record, indent=2) + "\n").encode())
