"""The command: `python -m benches.python --help`."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import environment

ROOT = Path(__file__).parents[2]
QUICK_SHRINK = 4
PARTS = (
    "kernels",
    "workloads",
    "memory",
    "wrapper",
    "exactness",
    "cliffs",
    "torch-cliffs",
    "small-pairs",
    "ctc",
    "forward-sum",
    "ddtw",
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benches.python",
        description="Time whole calls against a yardstick and other packages; measure memory and exactness.",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of every library (2)")
    parser.add_argument(
        "--rounds",
        type=int,
        default=7,
        help="alternating runs of each contender; slow ones run less often (7)",
    )
    parser.add_argument("--only", nargs="+", metavar="W", help="workloads, of W1 to W7 (all)")
    parser.add_argument(
        "--contenders", nargs="+", metavar="NAME", help="contenders, by how their names begin (all)"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="parts to measure (all)")
    parser.add_argument(
        "--quick", action="store_true", help=f"sizes divided by {QUICK_SHRINK}, 3 rounds, no record"
    )
    parser.add_argument(
        "--long", action="store_true", help="also one pair of 100 000 x 5 000 frames; takes minutes"
    )
    parser.add_argument("--aeon", metavar="PYTHON", help="an interpreter that has aeon, for W7 and cdist")
    parser.add_argument(
        "--criterion", type=Path, default=ROOT / "target" / "criterion", help="results of cargo bench"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="the record (benches/record/<date>-<processor>-...json)"
    )
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _main() -> None:
    options = _options()
    environment.set_threads(options.threads)
    from . import machine, report
    from .contenders.roster import all_contenders
    from .measure import (
        cliffs,
        ctc,
        ddtw_losses,
        exactness,
        forward_sum,
        kernels,
        long_pair,
        many_small_pairs,
        memory,
        torch_cliffs,
        wrapper,
    )
    from .measure.race import race
    from .workloads import all_workloads

    shrink, rounds = (QUICK_SHRINK, 3) if options.quick else (1, options.rounds)
    contenders = all_contenders(options.aeon)
    workloads = all_workloads(shrink)
    for asked in set(options.only or ()) - set(workloads):
        sys.exit(f"--only: there is no {asked}; there are {', '.join(workloads)}")
    chosen = [
        contender
        for name, contender in contenders.items()
        if options.contenders is None or name.startswith(tuple(options.contenders))
    ]
    record: dict[str, Any] = {"machine": machine.describe(options.threads), "shrink": shrink}
    load = record["machine"]["load_before"]
    if load > 0.5:
        # A thread that finds no core holds up all that wait for it: parallel loops then take milliseconds.
        _say(f"the machine is busy (load {load:.1f}): these ratios will mean little")
    path = options.output or report.record_path(ROOT / "benches" / "record", record["machine"])
    keeps = options.output is not None or not options.quick

    def keep() -> None:
        if keeps:
            report.write(path, record)

    if "kernels" in options.parts:
        record["kernels"] = kernels.read(options.criterion)
    if "workloads" in options.parts:
        record["workloads"] = []
        for name in options.only or workloads:
            workload = workloads[name]
            yardstick, rows = race(workload, chosen, rounds, _say)
            if "memory" in options.parts:
                for row in rows:
                    if row.seconds is None or row.name.startswith("aeon"):
                        continue
                    _say(f"{name}: memory of {row.name}")
                    row.extra_bytes, failure = memory.rise(name, row.name, options.threads, shrink)
                    row.note = row.note or failure
            record["workloads"].append(
                {
                    "title": workload.title,
                    "x_bytes": sum(x.nbytes for x in workload.data[0]),
                    "rounds": rounds,
                    "yardstick": asdict(yardstick),
                    "rows": [asdict(row) for row in rows],
                }
            )
            keep()  # what a later crash of a peer cannot take away
    if "wrapper" in options.parts:
        record["wrapper"] = wrapper.step_against_numpy(workloads["W1"], rounds, _say)
    if "exactness" in options.parts:
        record["exactness"] = {
            "gradients": exactness.gradient_errors(chosen, shrink, _say),
            "alignments": exactness.alignment_errors(shrink, _say),
            "offset": exactness.offset_error(shrink),
        }
    comparisons = {
        "cliffs": lambda: cliffs.run(shrink, rounds, _say),
        "torch-cliffs": lambda: torch_cliffs.run(shrink, rounds, _say),
        "small-pairs": lambda: many_small_pairs.run(shrink, rounds, options.threads, options.aeon, _say),
        "ctc": lambda: ctc.run(shrink, rounds, _say),
        "forward-sum": lambda: forward_sum.run(shrink, rounds, _say),
        "ddtw": lambda: ddtw_losses.run(shrink, rounds, _say),
    }
    for part, measure in comparisons.items():
        if part in options.parts:
            record[part.replace("-", "_")] = [asdict(row) for row in measure()]
            keep()
    if options.long:
        _say("long pair")
        record["long_pair"] = long_pair.run(shrink, options.threads)
    report.show(record, report.console())
    if keeps:
        keep()
        _say(f"record: {path}")


if __name__ == "__main__":
    _main()
