"""The directive `benchmark`: the tables of a record of `benches/record`, as it was measured."""

import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

RECORDS = Path(__file__).parents[2] / "benches" / "record"
HEADERS = ("", "time", "times the yardstick", "error")


def sentence(machine: dict[str, Any]) -> str:
    """Return what was measured where, when and with what."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    return (
        f"{machine['processor']}, {machine['instruction_set']}, {machine['threads']} threads, "
        f"{machine['date']}; {versions}."
    )


def rows(workload: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return a row of texts for each contender, as `HEADERS` names them."""
    found = []
    for row in workload["rows"]:
        note = f" ({row['note']})" if row.get("note") else ""
        error = (row.get("distance") or {}).get("gradient")
        timed = row.get("seconds") is not None
        found.append(
            (
                row["name"] + note,
                duration(row["seconds"]["median"]) if timed else "–",
                f"{row['ratio']['median']:.2g}" if timed and row["ratio"]["median"] < 10 else _whole(row),
                "" if error is None else f"{error:.0e}",
            )
        )
    return found


def _whole(row: dict[str, Any]) -> str:
    return f"{row['ratio']['median']:.0f}" if row.get("ratio") else "–"


def duration(seconds: float) -> str:
    """Return seconds for a reader."""
    return f"{seconds:.2g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


class Benchmark(SphinxDirective):
    """A table for each workload of a record, under the machine that measured it."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        path = RECORDS / self.arguments[0]
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text("utf-8"))
        body = nodes.tbody()
        for workload in record["workloads"]:
            title = nodes.row()
            title += nodes.entry("", nodes.paragraph("", "", nodes.strong("", workload["title"])), morecols=3)
            body += title
            for texts in rows(workload):
                row = nodes.row()
                row += [nodes.entry("", nodes.paragraph("", text)) for text in texts]
                body += row
        head = nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph("", h)) for h in HEADERS)))
        group = nodes.tgroup("", cols=4)
        group += [nodes.colspec(colwidth=width) for width in (46, 18, 18, 18)]
        group += [head, body]
        return [
            nodes.paragraph("", sentence(record["machine"])),
            nodes.table("", group, classes=["benchmark"]),
        ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    directive: type[Directive] = Benchmark
    app.add_directive("benchmark", directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
