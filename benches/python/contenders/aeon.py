"""aeon: values without gradients. It pins libraries of its own, so it runs in an environment of its own."""

import json
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from ..workloads import Workload
from .contender import Contender, Result, Task, UnsuitedError


class _Worker:
    """A process of the other interpreter that computes all pairs whenever it reads a line."""

    def __init__(self, python: str, workload: Workload) -> None:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data.npz"
            xs, ys = workload.data
            np.savez(data, x=np.stack(xs), y=np.stack(ys))
            # -P: the other interpreter is not to take this file for the package
            self._process = subprocess.Popen(
                [python, "-P", Path(__file__).with_name("aeon_worker.py"), data, str(workload.gamma)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._answer()  # the data are read
        self._values: list[float] = []

    def _answer(self) -> list[float]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the worker ended with exit status {self._process.wait()}")
        return json.loads(line)

    def call(self) -> None:
        if self._process.stdin:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        self._values = self._answer()

    def result(self) -> Result:
        return Result(np.array(self._values), None)

    def __del__(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def _prepare(python: str, workload: Workload) -> Task:
    if workload.wants_gradient or workload.is_ragged or workload.cost != "sqeuclidean":
        raise UnsuitedError("values of squared distances only")
    return _Worker(python, workload)


def aeon(python: str) -> Contender:
    """Return aeon's `soft_dtw_distance`, pair by pair on one thread, run by the interpreter `python`."""
    return Contender("aeon (one thread)", "aeon", partial(_prepare, python))
