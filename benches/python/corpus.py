"""Time of a corpus run beside a plain loop: `python -m benches.python.corpus`.

The plain loop, in one process, loads the inputs of each item with np.load and saves its h and y_mod with
np.savez, and nothing else. Reading, computing and writing are what `analyze` does, each run alone in one
process. Items have a strong target or none, and lie on a disk or in memory. Beside each time stands the CPU
time of all its processes, which other work on the machine disturbs less.
"""

import argparse
import itertools
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from warplens.analysis import analyze_item
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.corpus import Settings, Source, collect
from warplens.corpus.results.item_file import item_path, read_analysis, save_analysis

N, M, D = 500, 80, 88
ONES_A_FRAME = 4


def make_items(folder: Path, count: int, *, strong: bool) -> None:
    """Write items of N x M x D: multi-hot weak targets, predictions near their stretched frames.

    With `strong` these frames are part of the item.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        weak = np.zeros((M, D), np.float32)
        for frame in weak:
            frame[rng.choice(D, ONES_A_FRAME, replace=False)] = 1
        truth = np.repeat(weak, rng.multinomial(N - M, np.full(M, 1 / M)) + 1, axis=0)
        predictions = np.clip(0.7 * truth + 0.3 * rng.random((N, D)), 0.01, 0.99).astype(np.float32)
        known = {"strong": truth} if strong else {}
        np.savez(
            folder / f"{i:05}.npz",
            predictions=predictions,
            weak=weak,
            **known,
            cost="bce",
            fps=43.07,
            lowest_pitch=21,
        )


def plain_loop(folder: Path, out: Path, results: Sequence[ItemAnalysis]) -> None:
    """Load every input; save h and y_mod of the same shapes."""
    out.mkdir()
    for i, path in enumerate(sorted(folder.iterdir())):
        with np.load(path) as archive:
            for name in ("predictions", "weak", "strong"):
                archive.get(name)
        result = results[i % len(results)]
        np.savez(out / path.name, h=result.h, y_mod=result.y_mod)


def read_all(sources: Sequence[Source], settings: Settings) -> None:
    """Read alone: the item, its checks, the hash of its content."""
    for source in sources:
        settings.key_of(source.read())


def compute_all(sources: Sequence[Source], settings: Settings) -> None:
    """Compute alone, on a few items that are in memory, over and over."""
    items = [source.read() for source in sources[:16]]
    for i in range(len(sources)):
        item = items[i % len(items)]
        analyze_item(item, gammas=settings.gammas, cost="bce", threshold=settings.threshold)


def write_all(out: Path, sources: Sequence[Source], results: Sequence[ItemAnalysis]) -> None:
    """Write alone: results that are in memory, over and over."""
    for i, source in enumerate(sources):
        save_analysis(item_path(out, source.id), results[i % len(results)], "key")


def analyze_all(folder: Path, out: Path, gammas: Sequence[float]) -> float:
    """Run the command, start and report included; return the largest memory of a process, in MB."""
    words = ["analyze", str(folder), "-o", str(out), "--gamma", *map(str, gammas)]
    code = (
        "import contextlib, resource, sys\n"
        "from warplens_command import main\n"
        "if __name__ == '__main__':\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        main()\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        "    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    script = out.parent / "analyze_all.py"
    script.write_text(code)
    # As for whoever has installed the package: its bytecode is there after the first run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, str(script), *words],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    return max(int(line) for line in done.stdout.decode().splitlines()[-2:]) / 1024


class Duration(NamedTuple):
    """Seconds that a call took, on the clock and of all its processes' CPU time."""

    wall: float
    cpu: float


def duration_of(call: Callable[[], object]) -> Duration:
    """Time a call."""
    before, begun = _cpu_seconds(), time.perf_counter()
    call()
    return Duration(time.perf_counter() - begun, _cpu_seconds() - before)


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def compare(work: Path, count: int, gammas: tuple[float, ...], rounds: int) -> None:
    """Print medians over alternating rounds, in ms an item, and the ratios."""
    folder, out = work / "in", work / "out"
    settings = Settings(gammas)
    sources = collect([folder], exclude=out).sources
    tenth = first_items(work, count // 10)
    analyze_all(folder, out, gammas)
    results = [read_analysis(item_path(out, source.id)) for source in sources[:16]]
    calls = {
        "plain loop": lambda: plain_loop(folder, out, results),
        "reading": lambda: read_all(sources, settings),
        "computing": lambda: compute_all(sources, settings),
        "writing": lambda: write_all(out, sources, results),
        "analyze": lambda: analyze_all(folder, out, gammas),
        "a tenth": lambda: analyze_all(tenth, out, gammas),
    }
    durations: dict[str, list[Duration]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            shutil.rmtree(out, ignore_errors=True)
            durations[name].append(duration_of(call))
    print(f"{count} items of {N} x {M} x {D}, gamma {' '.join(format(gamma, 'g') for gamma in gammas)}")
    walls = {name: statistics.median(each.wall for each in durations[name]) for name in calls}
    cpus = {name: statistics.median(each.cpu for each in durations[name]) for name in calls}
    fixed = (10 * walls["a tenth"] - walls["analyze"]) / 9
    for name in [name for name in calls if name != "a tenth"]:
        per_item = [
            format(1000 * wall / count, ".3f") for wall in sorted(each.wall for each in durations[name])
        ]
        cpu = f"CPU {1000 * cpus[name] / count:.3f}"
        print(f"  {name:10} {1000 * walls[name] / count:7.3f} ms an item ({', '.join(per_item)}), {cpu}")
    slowest = max(("reading", "computing", "writing"), key=lambda name: walls[name])
    print(f"  analyze / plain loop: {walls['analyze'] / walls['plain loop']:.2f}")
    print(f"  analyze / {slowest}: {walls['analyze'] / walls[slowest]:.2f}")
    more = walls["analyze"] - fixed
    print(f"  {fixed:.2f} s of it, for processes and pages, does not grow with the corpus; without that")
    print(f"  {more / walls['plain loop']:.2f} and {more / walls[slowest]:.2f}")


def first_items(work: Path, count: int) -> Path:
    """Make a folder of links to the first items."""
    folder = work / f"in-{count}"
    if not folder.exists():
        folder.mkdir()
        for path in sorted((work / "in").iterdir())[:count]:
            (folder / path.name).symlink_to(path)
    return folder


def memory(work: Path, counts: Sequence[int], gammas: tuple[float, ...]) -> None:
    """Print the largest memory of any process of a run, for corpora of different size."""
    for count in counts:
        largest = analyze_all(first_items(work, count), work / f"out-{count}", gammas)
        print(f"  {count} items: {largest:.0f} MB in the largest process")


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.python.corpus", description=__doc__)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folders",
        type=Path,
        nargs="+",
        default=[Path(tempfile.gettempdir()), Path("/dev/shm")],
        help="for the corpus and its results; by default one on a disk and one in memory",
    )
    parser.add_argument("--targets", choices=["weak", "strong"], nargs="+", default=["weak", "strong"])
    options = parser.parse_args()
    for folder, target in itertools.product(options.folders, options.targets):
        with tempfile.TemporaryDirectory(dir=folder) as name:
            work = Path(name)
            print(f"In {folder}, strong targets: {'known' if target == 'strong' else 'none'}")
            make_items(work / "in", options.items, strong=target == "strong")
            for gammas in ((1.0,), (0.1, 1.0, 10.0)):
                compare(work, options.items, gammas, options.rounds)
            memory(work, (options.items // 10, options.items), (0.1, 1.0, 10.0))


if __name__ == "__main__":
    _main()
