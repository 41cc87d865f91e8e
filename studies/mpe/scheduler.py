"""Scheduler of the missing cells of the table, several at a time, each a process with one thread."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from studies.mpe.configuration import Run
from studies.mpe.lock import locked
from studies.mpe.places import Places

_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 20.0

# One thread a cell; and memory once taken is kept, for giving a step's arrays back and taking them anew costs
# time.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "WARPLENS_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    "MALLOC_TOP_PAD_": str(1 << 28),
}


@dataclass(frozen=True)
class Cell:
    """A pre-training (run is None) or a run, of one seed."""

    run: Run | None
    seed: int

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"{'pre-training' if self.run is None else self.run.name}, seed {self.seed}"

    def arguments(self) -> list[str]:
        """Return the arguments of the command that computes the cell."""
        if self.run is None:
            return ["pretrain", "--seed", str(self.seed)]
        return ["finetune", "--seed", str(self.seed), "--run", self.run.name]


def cells_of(places: Places) -> list[Cell]:
    """List all cells seed by seed, each its pre-training first: every row has a seed early, then another."""
    study = places.configuration
    return [Cell(run, seed) for seed in study.seeds for run in (None, *study.runs)]


def is_ready(cell: Cell, places: Places) -> bool:
    """Return True if the checkpoint that a cell starts from is there."""
    return cell.run is None or places.is_done(None, cell.seed)


def compute_cells(
    places: Places,
    configuration: Path,
    *,
    workers: int,
    minutes: float | None,
    progress: Callable[[str], None],
    after_each: Callable[[], object],
) -> list[str]:
    """Compute the missing cells; return those that failed, each with its reason.

    When time is over the processes are ended: what they have done is in their checkpoints, a next call goes
    on from there.

    Raises:
        StudyError: another process computes this study.
    """
    with locked(places.results, "this study"):
        return _compute(places, configuration, workers, minutes, progress, after_each)


def _compute(
    places: Places,
    configuration: Path,
    workers: int,
    minutes: float | None,
    progress: Callable[[str], None],
    after_each: Callable[[], object],
) -> list[str]:
    waiting = [cell for cell in cells_of(places) if not places.is_done(cell.run, cell.seed)]
    running: dict[Cell, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
    failures: list[str] = []
    end = None if minutes is None else time.monotonic() + 60 * minutes
    try:
        while waiting or running:
            if end is not None and time.monotonic() > end:
                progress("time is over; run again to go on")
                break
            for cell in [cell for cell in waiting if is_ready(cell, places)][
                : max(0, workers - len(running))
            ]:
                waiting.remove(cell)
                running[cell] = _started(cell, places, configuration)
                progress(f"begins: {cell.name}")
            if not running:
                failures += [f"{cell.name}: what it starts from is missing" for cell in waiting]
                break
            time.sleep(_POLL_SECONDS)
            for cell, (process, log) in list(running.items()):
                if process.poll() is None:
                    continue
                log.close()
                del running[cell]
                if process.returncode:
                    failures.append(f"{cell.name}: {_last_line(_log(cell, places))}")
                progress(f"{'failed' if process.returncode else 'done'}: {cell.name}")
                after_each()
    finally:
        _end(running)
    return failures


def _started(cell: Cell, places: Places, configuration: Path) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    log = _log(cell, places).open("ab")
    command = [sys.executable, "-m", "studies.mpe", *cell.arguments()]
    command += ["--config", str(configuration), "--data", str(places.data), "--threads", "1"]
    return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **_ENVIRONMENT}), log


def _log(cell: Cell, places: Places) -> Path:
    folder = places.pretraining(cell.seed) if cell.run is None else places.run(cell.run, cell.seed)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "output.log"


def _last_line(path: Path) -> str:
    lines = path.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"no reason in {path}"


def _end(running: dict[Cell, tuple[subprocess.Popen[bytes], IO[bytes]]]) -> None:
    for process, _ in running.values():
        process.terminate()
    for process, log in running.values():
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
