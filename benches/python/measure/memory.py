"""The rise of the peak of memory during one call, in a fresh process.

    python -m benches.python.measure.memory WORKLOAD CONTENDER --threads 2 [--shrink 4]

Before the call the process has made the data and run a tiny version of the workload, so that libraries,
compiled code and threads are there; what the call leaves (values, gradients) counts.
"""

import argparse
import ctypes
import json
import subprocess
import sys
from pathlib import Path

from .. import environment


def rise(workload: str, contender: str, threads: int, shrink: int) -> tuple[int | None, str]:
    """Measure in a process of its own; return bytes, or None and the reason."""
    arguments = [workload, contender, "--threads", str(threads), "--shrink", str(shrink)]
    ended = subprocess.run(
        [sys.executable, "-m", __name__, *arguments], capture_output=True, text=True, check=False
    )
    if ended.returncode < 0:
        return None, f"crashed: signal {-ended.returncode}"
    if ended.returncode > 0:
        return None, f"failed: {ended.stderr.strip().splitlines()[-1]}"
    return int(json.loads(ended.stdout.splitlines()[-1])), ""


def resident_and_peak() -> tuple[int, int]:
    """Return VmRSS and VmHWM of this process, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    resident, peak = (1024 * int(lines[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    return resident, peak


def forget_peak() -> int:
    """Return freed memory to the system, set the peak to what is resident, and return that."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return resident_and_peak()[0]


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("contender")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shrink", type=int, default=1)
    options = parser.parse_args()
    environment.set_threads(options.threads)
    from ..contenders.roster import all_contenders
    from ..workloads import all_workloads
    from .race import warm_up

    workload = all_workloads(options.shrink)[options.workload]
    contender = all_contenders()[options.contender]
    warm_up(contender, workload)
    task = contender.prepare(contender.solves(workload))
    before = forget_peak()
    task.call()
    print(json.dumps(resident_and_peak()[1] - before))


if __name__ == "__main__":
    _main()
