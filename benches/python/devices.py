"""Forward and backward on a device, beside CTCLoss and the soft-DTW codes that have CUDA kernels.

    python -m benches.python.devices [--device cuda] [--rounds 9] [--quick] [-o RECORD]

Each result is first held against the core in float64 on the CPU; what is wrong is not timed. Times are those
of device events, memory is the rise of `torch.cuda.max_memory_allocated` during a first call. On a GPU each
contender runs in a process of its own, for one illegal access leaves the device unusable to its process.
Without a GPU it says so and writes nothing; `--device cpu --quick` runs tiny cases, to try the script itself.
"""

import argparse
import datetime
import multiprocessing
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from warplens.torch import SoftDTWLoss

from . import machine, report
from .contenders import peers
from .contenders.contender import Task, UnsuitedError
from .contenders.ctc import CtcTask
from .contenders.torch_task import TorchTask
from .measure.race import Spread
from .measure.truth import Distance, distance, truth
from .workloads import Workload

Prepare = Callable[[Workload, torch.device], Task]
FOLDER = Path(__file__).parents[1] / "record"
QUICK_SHRINK = 32
MOST_SECONDS = 1800.0  # for a contender on a case; after that it counts as hung
MOST_OF_MAGHOUMI = 1024  # one thread a frame; above it falls back to the CPU


@dataclass(frozen=True)
class Case:
    """A workload and the limit set for warplens on an H200."""

    workload: Workload
    limit: str


@dataclass
class Row:
    """Results of one contender on one case."""

    name: str
    note: str = ""
    distance: Distance | None = None
    milliseconds: Spread | None = None
    peak_bytes: int | None = None


def all_cases(shrink: int = 1) -> list[Case]:
    """Return the cases G1 to G4, sizes B x N x M x D; `shrink` divides B, N and M."""

    def sizes(pairs: int, n: int, m: int) -> tuple[tuple[int, int], ...]:
        return ((max(2, n // shrink), max(2, m // shrink)),) * max(1, pairs // shrink)

    return [
        Case(Workload("G1", sizes(16, 1024, 128), 12, "bce_logits"), "1 ms and 1.5 x CTCLoss"),
        Case(Workload("G2", sizes(16, 1024, 1024), 12), "4 ms"),
        Case(Workload("G3", sizes(32, 512, 512), 64), "2 ms and 40 MB"),
        Case(Workload("G4", sizes(1, 20_000, 4000), 12), "completes with the right numbers"),
    ]


def _warplens(backend: Any) -> Prepare:
    def prepare(workload: Workload, device: torch.device) -> Task:
        loss = SoftDTWLoss(
            workload.cost, workload.gamma, workload.step_weights, reduction="none", backend=backend
        )
        return TorchTask(workload, loss.to(device), device)

    return prepare


def _peer(call: peers.SoftDTW, most: int | None = None) -> Prepare:
    def prepare(workload: Workload, device: torch.device) -> Task:
        if most is not None and max(max(size) for size in workload.sizes) > most:
            raise UnsuitedError(f"takes at most {most} frames")
        cost = None if workload.cost == "sqeuclidean" else peers.BY_PRODUCT[workload.cost]
        return TorchTask(workload, lambda x, y: call(x, y, workload.gamma, cost), device)

    return prepare


CONTENDERS: dict[str, Prepare] = {
    "ops": _warplens("ops"),
    "triton": _warplens("triton"),
    "CTCLoss": CtcTask,
    "Maghoumi": _peer(peers.maghoumi, MOST_OF_MAGHOUMI),
    "BGU": _peer(peers.bgu),
}


def run(case: Case, name: str, device: torch.device, rounds: int) -> Row:
    """Check and time one contender."""
    row = Row(name)
    try:
        # Events and peers take the current device.
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            _measure(row, case.workload, device, rounds)
    except ImportError as error:
        row.note = f"not installed: {error}"
    except Exception as error:  # whatever it raises is its result
        row.note = f"not measured: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return row


def _measure(row: Row, workload: Workload, device: torch.device, rounds: int) -> None:
    prepare = CONTENDERS[row.name]
    task = prepare(workload, device)
    task.call()
    result = task.result()
    row.distance = distance(result, result if row.name == "CTCLoss" else truth(workload))
    if row.distance.is_wrong:
        row.note = "wrong, so not timed"
        return
    row.note = "inexact" if row.distance.is_inexact else ""
    row.milliseconds = Spread.of([_milliseconds(task, device) for _ in range(rounds)])
    del task
    # One that has not been called: results of an earlier call would go as those of this one come.
    row.peak_bytes = _peak(prepare(workload, device), device)


def apart(function: Callable[..., Any], *arguments: Any, seconds: float = MOST_SECONDS) -> Any:
    """Call a function in a process of its own and return its result.

    Raises:
        RuntimeError: The process ended without a result, or took longer than `seconds`.
    """
    context = multiprocessing.get_context("spawn")  # a forked process could not use CUDA
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            raise RuntimeError(f"no result after {seconds:g} s")
        return ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"its process ended with exit code {process.exitcode}") from None
    finally:
        process.kill()
        process.join()


def _send(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    pipe.send(function(*arguments))


def _run_apart(case: Case, name: str, device: torch.device, rounds: int) -> Row:
    try:
        row: Row = apart(run, case, name, device, rounds)
    except RuntimeError as error:
        row = Row(name, f"not measured: {error}")
    return row


def _milliseconds(task: Task, device: torch.device) -> float:
    if device.type != "cuda":
        before = time.perf_counter()
        task.call()
        return 1e3 * (time.perf_counter() - before)
    start, end = (torch.Event(device, enable_timing=True) for _ in range(2))
    torch.cuda.synchronize(device)
    start.record()
    task.call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end))


def _peak(task: Task, device: torch.device) -> int | None:
    if device.type != "cuda":
        return None
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    task.call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def lines(case: Case, rows: list[Row]) -> Iterator[str]:
    """Yield the lines of a case, each time beside that of CTCLoss."""
    yield f"{case.workload.title}: asked {case.limit}"
    by_ctc = next(
        (row.milliseconds.median for row in rows if row.name == "CTCLoss" and row.milliseconds), None
    )
    for row in rows:
        cells = [f"  {row.name:<10}"]
        if row.milliseconds:
            times = row.milliseconds
            cells.append(f"{times.median:9.3f} ms ({times.least:.3f} .. {times.most:.3f})")
            cells.append(f"{times.median / by_ctc:7.2f} x CTCLoss" if by_ctc else "")
        if row.peak_bytes is not None:
            cells.append(f"{row.peak_bytes / 1e6:8.1f} MB")
        if row.distance and row.distance.gradient is not None and row.name != "CTCLoss":
            cells.append(f"error {row.distance.gradient:.0e}")
        yield " ".join([*cells, row.note]).rstrip()


def describe(device: torch.device) -> dict[str, Any]:
    """Return the part of a record that describes the machine."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    versions = {package: machine.version(package) for package in (*machine.PACKAGES, "triton")}
    return {
        "date": datetime.date.today().isoformat(),
        "processor": name,
        "instruction_set": device.type,
        "cuda": torch.version.cuda,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.python.devices", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu with --quick (cuda)")
    parser.add_argument("--rounds", type=int, default=9, help="timed calls of each (9)")
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=CONTENDERS,
        default=list(CONTENDERS),
        help="contenders to time (all)",
    )
    parser.add_argument("--quick", action="store_true", help=f"sizes divided by {QUICK_SHRINK}; no record")
    parser.add_argument(
        "-o", "--output", type=Path, help="the record (benches/record/<date>-<gpu>-cuda.json)"
    )
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type != "cuda" and not options.quick:
        sys.exit("--device: only with --quick is another device than cuda of use")
    cases = all_cases(QUICK_SHRINK if options.quick else 1)
    if device.type == "cuda" and not torch.cuda.is_available():
        for case in cases:
            print(f"{case.workload.title}: asked {case.limit}: not measured, no GPU here")
        return
    on_gpu = device.type == "cuda"
    about = apart(describe, device) if on_gpu else describe(device)
    record: dict[str, Any] = {"machine": about, "rounds": options.rounds, "cases": []}
    path = options.output or report.record_path(FOLDER, about)
    for case in cases:
        one = _run_apart if on_gpu else run
        rows = [one(case, name, device, options.rounds) for name in options.contenders]
        print("\n".join(lines(case, rows)), flush=True)
        record["cases"].append(
            {"title": case.workload.title, "asked": case.limit, "rows": [asdict(row) for row in rows]}
        )
        if options.output or not options.quick:
            report.write(path, record)


if __name__ == "__main__":
    _main()
