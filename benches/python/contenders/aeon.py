"""aeon: values without gradients. It pins libraries of its own, so it runs in an environment of its own."""

import json
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..workloads import Workload
from .contender import Contender, Result, Task, UnsuitedError


class AeonWorker:
    """A process of the other interpreter that computes all pairs at each line it reads."""

    def __init__(self, python: str, xs: NDArray[Any], ys: NDArray[Any], gamma: float) -> None:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data.npz"
            np.savez(data, x=xs, y=ys)
            # -P: the other interpreter is not to take this file for the package
            self._process = subprocess.Popen(
                [python, "-P", Path(__file__).with_name("aeon_worker.py"), data, str(gamma)],
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
        """Compute the values."""
        if self._process.stdin:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        self._values = self._answer()

    def result(self) -> Result:
        """Return the values of the last call."""
        return Result(np.array(self._values), None)

    def __del__(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def _prepare(python: str, workload: Workload) -> Task:
    if workload.wants_gradient or workload.is_ragged or workload.cost != "sqeuclidean":
        raise UnsuitedError("values of squared distances only")
    xs, ys = (np.stack(side) for side in workload.data)
    return AeonWorker(python, xs, ys, workload.gamma)


def aeon(python: str) -> Contender:
    """Return aeon's `soft_dtw_distance`, pair by pair on one thread, run by the interpreter `python`."""
    return Contender("aeon (one thread)", "aeon", partial(_prepare, python))
