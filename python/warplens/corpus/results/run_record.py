"""OUT/run.json: inputs, settings, times, host and versions of a run.

All that differs between two runs of the same inputs and settings stands here alone.

It is written when the first run begins; that of a run that did not end has no `seconds`.
"""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import warplens as wl
from warplens.corpus.inputs.results_folder import RECORD, holds_results
from warplens.io.replacing import replacing


class RunRecord:
    """Record of a run that begins now."""

    def __init__(self, command: str, inputs: Sequence[Path]) -> None:
        self._command = {"command": command, "inputs": [str(path) for path in inputs]}
        self._started = datetime.now(UTC)
        self._begun = time.monotonic()

    def begin(self, out: Path) -> None:
        """Write what is known at the beginning, unless the record of another run exists."""
        if not holds_results(out):
            self._write(out, {})

    def end(self, out: Path, facts: Mapping[str, Any]) -> None:
        """Write the whole record: `facts`, as JSON takes them, and times, host and versions."""
        self._write(out, {**facts, "seconds": round(time.monotonic() - self._begun, 3)})

    def _write(self, out: Path, facts: Mapping[str, Any]) -> None:
        record = {
            **self._command,
            **facts,
            "started": self._started.isoformat(),
            "host": platform.node(),
            "versions": {
                "warplens": wl.__version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
            },
        }
        with replacing(out / RECORD) as file:
            file.write((json.dumps(record, indent=2) + "\n").encode())
