"""`warplens analyze` and `warplens demo`.

Exit status: 0 all is well, 1 an item failed or results could not be written, 2 the command was misused.
"""

from pathlib import Path

import click

import warplens as wl
from warplens.cli.numbers import NumbersCommand, NumbersOption
from warplens.cli.progress import ProgressReport
from warplens.corpus import InputError, Run, Settings, analyze
from warplens.demo.run import run_demo
from warplens.demo.summary import describe

_MAX_WARNINGS = 20

_threads = click.option(
    "--threads", type=click.IntRange(min=1), help="Items in work at a time.  [default: all cores]"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(wl.__version__, prog_name="warplens")
def warplens() -> None:
    """Soft dynamic time warping that shows what it teaches.

    `warplens demo` shows what there is to see; `warplens analyze` looks at your own predictions and targets.
    """


@warplens.command("analyze", cls=NumbersCommand)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option(
    "--gamma",
    "gammas",
    cls=NumbersOption,
    default=(0.1, 1.0, 10.0),
    metavar="G...",
    help="Softness, one or more; 0 is hard DTW.  [default: 0.1 1 10]",
)
@click.option(
    "--step-weights",
    nargs=3,
    type=float,
    metavar="H V D",
    help="Weights of the horizontal, vertical and diagonal step.  [default: the item's, else 1 1 1]",
)
@click.option("--cost", help="Local cost, overrides that of the items: mse, bce, ce, ...")
@click.option(
    "--threshold", type=float, default=0.5, show_default=True, help="Events that stay under it are lost."
)
@click.option("--fps", type=float, help="Prediction frames a second, overrides that of the items.")
@click.option("--keep-alignment", is_flag=True, help="Keep the soft alignments H in the item files.")
@_threads
def analyze_command(
    inputs: tuple[Path, ...],
    out: Path,
    gammas: tuple[float, ...],
    step_weights: tuple[float, float, float] | None,
    cost: str | None,
    threshold: float,
    fps: float | None,
    keep_alignment: bool,
    threads: int | None,
) -> None:
    """See what a soft-DTW loss teaches a network, from its predictions and weak targets.

    INPUT are npz files, or folders of them, with the keys predictions (N,D) and weak (M,D), and where known
    strong (N,D), fps, lowest_pitch, cost and step_weights. Other files are ignored.

    Results: items.csv, items/<id>.npz and report.html in the folder OUT. Run again, it does only what is new.
    """
    try:
        settings = Settings(gammas, cost, step_weights, threshold, fps, keep_alignment)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error
    _refuse_file(out)
    try:
        with ProgressReport() as progress:
            run = analyze(inputs, out, settings, threads=threads, progress=progress)
    except InputError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error}: the results could not be written") from error
    _warn(run)
    for line in _lost_events(run, settings):
        click.echo(line)
    click.echo(f"Report: {run.report}")
    _end(run)


@warplens.command("demo")
@click.option(
    "-o",
    "--out",
    default=Path("warplens-demo"),
    type=click.Path(path_type=Path),
    help="Folder for input and results.  [default: ./warplens-demo]",
)
@_threads
def demo_command(out: Path, threads: int | None) -> None:
    """Make a short piece of music and the paper's Figure 2, and show what the loss teaches there."""
    _refuse_file(out)
    try:
        with ProgressReport() as progress:
            demo = run_demo(out, threads=threads, progress=progress)
    except OSError as error:
        raise click.ClickException(f"{error}: the results could not be written") from error
    _warn(demo.run)
    click.echo(describe(demo))
    _end(demo.run)


def _refuse_file(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"{out} is a file, results need a folder (-o)")


def _warn(run: Run) -> None:
    warned = [outcome for outcome in run.outcomes if outcome.warning]
    for outcome in warned[:_MAX_WARNINGS]:
        click.echo(f"Warning: {outcome.id}: {outcome.warning}", err=True)
    if len(warned) > _MAX_WARNINGS:
        click.echo(f"Warning: so in {len(warned) - _MAX_WARNINGS} more items", err=True)


def _lost_events(run: Run, settings: Settings) -> list[str]:
    lines = []
    for gamma in settings.gammas:
        rows = [row for outcome in run.outcomes for row in outcome.rows if row.get("gamma") == gamma]
        events = sum(row["events"] for row in rows)
        lost = sum(row["events_below_threshold"] for row in rows)
        if events:
            share = f"{lost} of {events} events ({lost / events:.1%})"
            lines.append(f"gamma {gamma:g}: {share} stay under {settings.threshold:g}")
    return lines


def _end(run: Run) -> None:
    """List what failed and leave with the status that says so."""
    if run.failed:
        click.echo(f"{len(run.failed)} of {len(run.outcomes)} items failed:", err=True)
        for outcome in run.failed:
            click.echo(f"  {outcome.id}: {outcome.error}", err=True)
        raise SystemExit(1)
