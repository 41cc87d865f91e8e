"""Results of `cargo bench`: nanoseconds a cell, one thread."""

import json
from pathlib import Path
from typing import Any


def read(folder: Path) -> list[dict[str, Any]]:
    """Read all benchmarks in the folder that criterion writes, by name."""
    rows = []
    for path in sorted(folder.rglob("new/estimates.json")):
        estimates = json.loads(path.read_text())
        about = json.loads(path.with_name("benchmark.json").read_text())
        cells = about["throughput"]["Elements"]
        interval = estimates["median"]["confidence_interval"]
        rows.append(
            {
                "name": about["full_id"],
                "cells": cells,
                "nanoseconds_a_cell": estimates["median"]["point_estimate"] / cells,
                "least": interval["lower_bound"] / cells,
                "most": interval["upper_bound"] / cells,
            }
        )
    return rows
