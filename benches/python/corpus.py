"""What a corpus costs beside a plain loop: `python -m benches.python.corpus`.

The plain loop, in one process, loads the inputs of each item with np.load and saves its h and y_mod with
np.savez, and nothing else. Reading, computing and writing are what `analyze` does, each run alone in one
process.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from warplens.analysis import analyze_item
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.corpus import Settings, Source, collect
from warplens.corpus.item_file import item_path, read_analysis, save_analysis

N, M, D = 500, 80, 88
ONES_A_FRAME = 4


def make_items(folder: Path, count: int) -> None:
    """Items of N x M x D: multi-hot weak targets, predictions near their stretched frames, none strong."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        weak = np.zeros((M, D), np.float32)
        for frame in weak:
            frame[rng.choice(D, ONES_A_FRAME, replace=False)] = 1
        truth = np.repeat(weak, rng.multinomial(N - M, np.full(M, 1 / M)) + 1, axis=0)
        predictions = np.clip(0.7 * truth + 0.3 * rng.random((N, D)), 0.01, 0.99).astype(np.float32)
        np.savez(
            folder / f"{i:05}.npz", predictions=predictions, weak=weak, cost="bce", fps=43.07, lowest_pitch=21
        )


def plain_loop(folder: Path, out: Path, results: Sequence[ItemAnalysis]) -> None:
    """Load every input, save h and y_mod of the same shapes."""
    out.mkdir()
    for i, path in enumerate(sorted(folder.iterdir())):
        with np.load(path) as archive:
            archive["predictions"], archive["weak"]
        result = results[i % len(results)]
        np.savez(out / path.name, h=result.h, y_mod=result.y_mod)


def read_all(sources: Sequence[Source], settings: Settings) -> None:
    """Reading alone: the item, its checks, the hash of its content."""
    for source in sources:
        settings.key_of(source.read())


def compute_all(sources: Sequence[Source], settings: Settings) -> None:
    """Computing alone, on a few items that are in memory, over and over."""
    items = [source.read() for source in sources[:16]]
    for i in range(len(sources)):
        item = items[i % len(items)]
        analyze_item(item, gammas=settings.gammas, cost="bce", threshold=settings.threshold)


def write_all(out: Path, sources: Sequence[Source], results: Sequence[ItemAnalysis]) -> None:
    """Writing alone: results that are in memory, over and over."""
    for i, source in enumerate(sources):
        save_analysis(item_path(out, source.id), results[i % len(results)], "key")


def analyze_all(folder: Path, out: Path, gammas: Sequence[float]) -> float:
    """The command, start of the interpreter and report included; the largest memory of a process, in MB."""
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


def seconds_of(call: Callable[[], object]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


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
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            shutil.rmtree(out, ignore_errors=True)
            seconds[name].append(seconds_of(call))
    print(f"{count} items of {N} x {M} x {D}, gamma {' '.join(format(gamma, 'g') for gamma in gammas)}")
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    fixed = (10 * medians["a tenth"] - medians["analyze"]) / 9
    for name in [name for name in calls if name != "a tenth"]:
        per_item = [format(1000 * second / count, ".3f") for second in sorted(seconds[name])]
        print(f"  {name:10} {1000 * medians[name] / count:7.3f} ms an item ({', '.join(per_item)})")
    slowest = max(("reading", "computing", "writing"), key=lambda name: medians[name])
    print(f"  analyze / plain loop: {medians['analyze'] / medians['plain loop']:.2f}")
    print(f"  analyze / {slowest}: {medians['analyze'] / medians[slowest]:.2f}")
    more = medians["analyze"] - fixed
    print(f"  {fixed:.2f} s of it, for processes and pages, does not grow with the corpus; without that")
    print(f"  {more / medians['plain loop']:.2f} and {more / medians[slowest]:.2f}")


def first_items(work: Path, count: int) -> Path:
    """A folder of links to the first items."""
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
    parser.add_argument("--folder", type=Path, help="for the corpus and its results (a temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        work = Path(name)
        make_items(work / "in", options.items)
        for gammas in ((1.0,), (0.1, 1.0, 10.0)):
            compare(work, options.items, gammas, options.rounds)
        memory(work, (options.items // 10, options.items), (0.1, 1.0, 10.0))


if __name__ == "__main__":
    _main()
