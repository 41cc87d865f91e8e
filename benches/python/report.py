"""Tables on the console and the record as JSON."""

import json
import re
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

TITLES_OF_COMPARISONS = {
    "cliffs": "NumPy calls beside the plain call, one thread",
    "torch_cliffs": "Steps of the PyTorch loss beside the plain step, forward and backward to dX",
    "small_pairs": "Many small pairs",
    "ctc": "CTC from logits to their gradient, beside torch's",
    "forward_sum": "Forward sum from log-probabilities to their gradient, beside the usual way",
    "ddtw": "Value and gradient, beside the same losses of ddtw",
}
"""Part of a record -> title of its table."""


def record_path(folder: Path, machine: dict[str, Any]) -> Path:
    """Return `folder/<date>-<processor>-<instruction set>.json`."""
    processor = re.sub(r"[^a-z0-9]+", "-", machine["processor"].lower()).strip("-")
    return folder / f"{machine['date']}-{processor}-{machine['instruction_set']}.json"


def write(path: Path, record: dict[str, Any]) -> None:
    """Write the record as indented JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


def show(record: dict[str, Any], console: Console) -> None:
    """Print a table for each part that the record has."""
    machine = record["machine"]
    console.print(
        ", ".join([machine["processor"], machine["instruction_set"], f"{machine['threads']} threads"]),
        *(f"{name} {version}" for name, version in machine["versions"].items() if version),
        sep=", ",
        highlight=False,
    )
    if record.get("kernels"):
        console.print(_kernels(record["kernels"]))
    if record.get("workloads"):
        console.print(_workloads(record["workloads"]))
    wrapper = record.get("wrapper")
    if wrapper:
        console.print(
            f"{wrapper['title']}: a step of the PyTorch loss takes {wrapper['ratio']:.2f} x the NumPy call "
            f"({1e3 * wrapper['torch_seconds']:.3g} and {1e3 * wrapper['numpy_seconds']:.3g} ms)"
        )
    exactness = record.get("exactness")
    if exactness:
        console.print(_gradients(exactness["gradients"]))
        console.print(_alignments(exactness["alignments"]))
        console.print(
            f"MSE value when both sequences move by 1000: off by {exactness['offset']:.1e} of itself"
        )
    for part, title in TITLES_OF_COMPARISONS.items():
        if record.get(part):
            console.print(_comparisons(title, record[part]))
    if record.get("long_pair"):
        console.print("100 000 x 5 000 frames, value and x_grad:", record["long_pair"])


def console() -> Console:
    """Return a console; one that is no terminal is as wide as the tables."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=170)


def _kernels(rows: list[dict[str, Any]]) -> Table:
    table = Table("kernel, float32, one thread", title="Kernels: ns a cell")
    for column in ("median", "95 % interval"):
        table.add_column(column, justify="right")
    for row in rows:
        interval = f"{row['least']:.2f} .. {row['most']:.2f}"
        table.add_row(row["name"], f"{row['nanoseconds_a_cell']:.2f}", interval)
    return table


def _workloads(workloads: list[dict[str, Any]]) -> Table:
    table = Table(
        title="Whole calls, forward and backward to dX; sizes are B x N x M x D; medians, least and most"
    )
    for column in ("", "ms", "x yardstick", "", "rounds", "error", "extra memory", "in x"):
        table.add_column(column, justify="left" if column == "" else "right", no_wrap=True)
    table.add_column("", overflow="fold")
    for workload in workloads:
        unit = workload["yardstick"]
        table.add_section()
        table.add_row(f"[bold]{workload['title']}")
        spread = f"{1e3 * unit['least']:.3g} .. {1e3 * unit['most']:.3g} ms"
        table.add_row(
            "  yardstick", _milliseconds(unit), "1", "", str(workload["rounds"]), "", "", "", spread
        )
        for row in workload["rows"]:
            ratio = row["ratio"]
            distance = row["distance"] or {"value": None, "gradient": None}
            error = distance["value"] if distance["gradient"] is None else distance["gradient"]
            table.add_row(
                f"  {row['name']}",
                _milliseconds(row["seconds"]) if ratio else "",
                *(
                    [f"{ratio['median']:.3g}", f"{ratio['least']:.3g} .. {ratio['most']:.3g}"]
                    if ratio
                    else ["", ""]
                ),
                str(row["rounds"] or ""),
                "" if error is None else f"{error:.1e}",
                *_memory(row["extra_bytes"], workload["x_bytes"]),
                row["note"],
            )
    return table


def _milliseconds(seconds: dict[str, float]) -> str:
    return f"{1e3 * seconds['median']:.3g}"


def _memory(extra: int | None, x_bytes: int) -> tuple[str, str]:
    return ("", "") if extra is None else (f"{extra / 1e6:.1f} MB", f"{extra / x_bytes:.1f}")


def _comparisons(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=f"{title}; medians, least and most, goals at full size")
    for column in ("", "time", "beside", "its time", "x", "", "goal", "met", "error"):
        table.add_column(column, justify="left" if column in ("", "beside") else "right", no_wrap=True)
    table.add_column("", overflow="fold")
    group = None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            table.add_section()
            table.add_row(f"[bold]{group}")
        ratio, met = row["ratio"], row["is_met"]
        goal = "" if row["goal"] is None else f"{row['goal']:g}"
        table.add_row(
            f"  {row['name']}",
            _time(row["seconds"]),
            row["against"],
            _time(row["plain_seconds"]),
            f"{ratio['median']:.3g}" if ratio else "",
            f"{ratio['least']:.3g} .. {ratio['most']:.3g}" if ratio else "",
            goal if row["goal_seconds"] is None else _time({"median": row["goal_seconds"]}),
            "" if met is None else "yes" if met else "no",
            "" if row["error"] is None else f"{row['error']:.1e}",
            row["note"],
        )
    return table


def _time(seconds: dict[str, float] | None) -> str:
    """Write a median in the unit that suits it."""
    if seconds is None:
        return ""
    median = seconds["median"]
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if median >= size:
            return f"{median / size:.3g} {unit}"
    return f"{1e6 * median:.3g} us"


def _gradients(errors: dict[str, dict[str, float | None]]) -> Table:
    names = list(dict.fromkeys(name for by_name in errors.values() for name in by_name))
    table = Table("", title="Relative L2 error of dX, squared Euclidean, 512 x 512 x 64")
    for name in names:
        table.add_column(name, justify="right")
    for case, by_name in errors.items():
        cells = (by_name.get(name) for name in names)
        table.add_row(case, *("" if error is None else f"{error:.1e}" for error in cells))
    return table


def _alignments(rows: list[dict[str, Any]]) -> Table:
    peers = list(rows[0]["peers_first_visit"])
    table = Table(title="From a float32 cost matrix: |E(1,1) - 1| and largest |H - H64|")
    columns = ["costs", "gamma", "weights", "|E(1,1)-1|", "|H-H64|"]
    for column in [*columns, *(f"E(1,1): {name}" for name in peers)]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row["costs"],
            f"{row['gamma']:g}",
            "/".join(f"{weight:g}" for weight in row["step_weights"]),
            f"{row['first_visit']:.1e}",
            f"{row['soft_alignment']:.1e}",
            *(f"{row['peers_first_visit'][name]:.1e}" if row["peers_first_visit"] else "" for name in peers),
        )
    return table
