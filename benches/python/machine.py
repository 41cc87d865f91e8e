"""The machine: processor, instruction set, threads, versions."""

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ["warplens", "numpy", "torch", "pysdtw", "tslearn", "dtw-loss-functions", "numba"]


def _processor() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def available_memory() -> int:
    """Return how many bytes can be taken without swapping."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return 1024 * int(lines["MemAvailable"].split()[0])


def instruction_set() -> str:
    """Return the instruction set of the kernels."""
    from warplens import _core  # not before the threads are set

    return _core.instruction_set()


def version(distribution: str) -> str | None:
    """Return the version of an installed distribution, None where it is absent."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def describe(threads: int) -> dict[str, Any]:
    """Return the part of a record that describes the machine."""
    processor = _processor()
    wide = sorted(flag for flag in processor["flags"].split() if flag in {"avx2", "fma", "avx512f"})
    family = f"family {processor['cpu family']}, model {processor['model']}"
    return {
        "date": datetime.date.today().isoformat(),
        "processor": f"{processor['model name']} ({family})",
        "offers": wide,
        "instruction_set": instruction_set(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
    }
