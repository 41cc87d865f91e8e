"""`warplens demo`."""

from pathlib import Path

import click

from warplens.cli.endings import end, sentences_for_errors, tell_warnings
from warplens.cli.progress import ProgressReport
from warplens.demo.run import run_demo
from warplens.demo.summary import describe


@click.command("demo")
@click.option(
    "-o",
    "--out",
    default=Path("warplens-demo"),
    type=click.Path(path_type=Path),
    help="Folder for input and results.  [default: ./warplens-demo]",
)
def demo_command(out: Path) -> None:
    """Make a short piece of music and the paper's Figure 2, and show what the loss teaches there."""
    with sentences_for_errors(out), ProgressReport() as progress:
        demo = run_demo(out, progress=progress)
    tell_warnings(demo.run.outcomes)
    click.echo(describe(demo))
    end(demo.run.outcomes)
