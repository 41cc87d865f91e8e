"""Command `warplens demo`."""

from pathlib import Path

import click

from warplens.cli import options
from warplens.cli.output import (
    analysis_record,
    errors_as_sentences,
    exit_with_failures,
    print_json,
    print_warnings,
)
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
@options.quiet
@options.as_json
def demo_command(out: Path, quiet: bool, as_json: bool) -> None:
    """Make a short piece of music and the paper's Figure 2, and show what the loss teaches there."""
    with errors_as_sentences(out), ProgressReport(quiet=quiet) as progress:
        demo = run_demo(out, progress=progress)
    print_warnings(demo.run.outcomes)
    if as_json:
        for outcome in demo.run.outcomes:
            print_json(analysis_record(outcome))
    elif not quiet:
        click.echo(describe(demo))
    exit_with_failures(demo.run.outcomes)
