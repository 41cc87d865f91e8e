"""One pair of 100 000 x 5 000 frames, D = 12: time, memory and errors of value and x_grad.

    python -m benches.python.measure.long_pair [--shrink 4]

It runs in a process that imports NumPy and warplens alone, so that the peak of the process is theirs.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

import warplens as wl

from ..workloads import Workload
from .memory import forget_peak, resident_and_peak


def run(shrink: int, threads: int) -> dict[str, Any]:
    """Measure the pair in a fresh process and return the outcome."""
    ended = subprocess.run(
        [sys.executable, "-m", __name__, "--shrink", str(shrink), "--threads", str(threads)],
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        return {"failed": f"exit status {ended.returncode}: {ended.stderr.strip()[-300:]}"}
    return json.loads(ended.stdout.splitlines()[-1])


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    wl.set_num_threads(options.threads)
    workload = Workload("long", ((100_000 // options.shrink, 5_000 // options.shrink),), 12, seed=10)
    (x,), (y,) = workload.data
    (small_x,), (small_y,) = replace(workload, sizes=((9, 8),)).data
    wl.align(small_x, small_y, cost="sqeuclidean")
    before = forget_peak()
    start = time.perf_counter()
    result = wl.align(x, y, cost="sqeuclidean")
    seconds = time.perf_counter() - start
    peak = resident_and_peak()[1]
    exact = wl.align(x.astype(np.float64), y.astype(np.float64), cost="sqeuclidean")
    off = result.x_grad.astype(np.float64) - exact.x_grad
    outcome = {
        "size": workload.shape_text,
        "seconds": seconds,
        "extra_bytes": peak - before,
        "process_bytes": peak,
        "value_error": abs(result.value - exact.value) / abs(exact.value),
        "gradient_error": float(np.linalg.norm(off) / np.linalg.norm(exact.x_grad)),
    }
    print(json.dumps(outcome))


if __name__ == "__main__":
    _main()
