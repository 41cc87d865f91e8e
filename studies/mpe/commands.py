"""The stages as commands: `python -m studies.mpe <stage> --config FILE`."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import torch

import warplens as wl
from studies.mpe.configuration_file import read_configuration
from studies.mpe.errors import StudyError
from studies.mpe.inputs import preparation
from studies.mpe.lock import locked
from studies.mpe.places import DATA, HERE, Places
from studies.mpe.results import outcome
from studies.mpe.results.table import write_table
from studies.mpe.scheduler import compute_cells
from studies.mpe.training import finetuning, pretraining
from warplens.training import Writer

SCALED = HERE / "configurations" / "scaled.toml"
RESULTS = HERE / "RESULTS.md"
FURTHER = HERE / "further_results"
"""Tables of the other configurations that come with the study."""

_F = TypeVar("_F", bound=Callable[..., Any])


def _study(function: _F) -> _F:
    """Add the options of every stage."""
    for option in (
        click.option(
            "--config", type=click.Path(path_type=Path), default=SCALED, show_default=True, help="the study"
        ),
        click.option(
            "--data",
            type=click.Path(path_type=Path),
            default=DATA,
            show_default=True,
            help="folder of all that is fetched, rendered, computed",
        ),
        click.option("--threads", type=int, default=None, help="of torch and warplens (all cores)"),
    ):
        function = option(function)
    return function


def _writer(folder: Path | None) -> Writer | None:
    if folder is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        raise StudyError("--tensorboard needs the package tensorboard: pip install tensorboard.") from None
    writer: Writer = SummaryWriter(folder)
    return writer


def _out(function: _F) -> _F:
    return click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=None,
        help="the table (of the scaled study RESULTS.md, of others that come with it in further_results, of "
        "your own beside their results)",
    )(function)


@click.group(help=__doc__)
def main() -> None:
    """Run the stages of the study."""
    # A process that is told to end leaves as if it were interrupted, so that what it is writing is finished
    # or removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _stage(work: Callable[..., Any], **options: Any) -> None:
    places = _places(**{key: options.pop(key) for key in ("config", "data", "threads")})
    try:
        work(places, **options)
    except StudyError as error:
        raise click.ClickException(str(error)) from None


def _places(config: Path, data: Path, threads: int | None) -> Places:
    if threads:
        torch.set_num_threads(threads)
        wl.set_num_threads(threads)
    try:
        return Places(data, read_configuration(config))
    except StudyError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@_study
def fetch(**options: Any) -> None:
    """Get the performances of the scaled study (PyPI); of others, check that the datasets are there."""
    _stage(lambda places: preparation.fetch(places, click.echo), **options)


@main.command()
@_study
def render(**options: Any) -> None:
    """Render performances with their soundfonts (fluidsynth)."""
    _stage(lambda places: preparation.render_all(places, click.echo), **options)


@main.command()
@_study
def features(**options: Any) -> None:
    """Compute log-mel spectra and strong targets of all recordings."""
    _stage(lambda places: preparation.compute_all_features(places, click.echo), **options)


@main.command()
@_study
@click.option("--seed", type=int, required=True)
@click.option("--device", default="cpu", show_default=True)
def pretrain(**options: Any) -> None:
    """Pre-train the network of one seed."""

    def work(places: Places, seed: int, device: str) -> None:
        with locked(places.pretraining(seed), "this pre-training"):
            pretraining.pretrain(places, seed, click.echo, device=device)

    _stage(work, **options)


@main.command()
@_study
@click.option("--seed", type=int, required=True)
@click.option("--run", "name", required=True, help="a run of the configuration")
@click.option("--device", default="cpu", show_default=True)
@click.option(
    "--tensorboard", type=click.Path(path_type=Path), default=None, help="folder of a log of what is taught"
)
def finetune(**options: Any) -> None:
    """Fine-tune one run of one seed, and evaluate it."""

    def work(places: Places, seed: int, name: str, device: str, tensorboard: Path | None) -> None:
        run = places.configuration.run(name)
        with locked(places.run(run, seed), "this run"):
            finetuning.finetune(places, run, seed, click.echo, device=device, writer=_writer(tensorboard))
            outcome.evaluate(places, run, seed, click.echo)

    _stage(work, **options)


@main.command()
@_study
@click.option("--seed", type=int, required=True)
@click.option("--run", "name", required=True, help="a run of the configuration")
def evaluate(**options: Any) -> None:
    """Evaluate one run of one seed again."""
    _stage(
        lambda places, seed, name: outcome.evaluate(places, places.configuration.run(name), seed, click.echo),
        **options,
    )


@main.command()
@_study
@_out
def figures(**options: Any) -> None:
    """Draw figures of the runs that are done, into the folder `figures` beside the table."""
    config = options["config"]

    def work(places: Places, out: Path | None) -> None:
        drawn = _draw_figures(places, _table_path(places, config, out).parent / "figures")
        if not drawn:
            raise StudyError("No run of a constant gamma is done yet; run the stage `all` first.")
        for path in drawn:
            click.echo(path)

    _stage(work, **options)


@main.command()
@_study
@_out
def table(**options: Any) -> None:
    """Write the table of the runs that are done."""
    config = options["config"]
    _stage(lambda places, out: click.echo(_write_table(places, config, out)), **options)


@main.command(name="all")
@_study
@_out
@click.option("--workers", type=int, default=2, show_default=True, help="cells at a time, one thread each")
@click.option("--minutes", type=float, default=None, help="end after so long; run again to go on")
def every(**options: Any) -> None:
    """Run all stages; what is done already is not done again."""
    config = options["config"]

    def work(places: Places, workers: int, minutes: float | None, out: Path | None) -> None:
        preparation.fetch(places, click.echo)
        preparation.render_all(places, click.echo)
        preparation.compute_all_features(places, click.echo)
        failures = compute_cells(
            places,
            config,
            workers=workers,
            minutes=minutes,
            progress=click.echo,
            after_each=lambda: _write_table(places, config, out),
        )
        _draw_figures(places, _table_path(places, config, out).parent / "figures")
        click.echo(_write_table(places, config, out))
        if failures:
            raise StudyError("Some cells failed:\n" + "\n".join(failures))

    _stage(work, **options)


def _draw_figures(places: Places, folder: Path) -> list[Path]:
    from studies.mpe.results.figures import draw_figures  # matplotlib, which the cells do without

    return draw_figures(places, folder)


def _table_path(places: Places, config: Path, out: Path | None) -> Path:
    """Return the path of the table: beside the study for what comes with it, else beside its results."""
    file = config.resolve()
    if out is not None:
        return out
    if file == SCALED.resolve():
        return RESULTS
    if file.parent == SCALED.parent.resolve():
        return FURTHER / places.configuration.name / "RESULTS.md"
    return places.results / "RESULTS.md"


def _write_table(places: Places, config: Path, out: Path | None) -> Path:
    path, root, file = _table_path(places, config, out), HERE.parents[1], config.resolve()
    shown = file.relative_to(root) if file.is_relative_to(root) else config
    remarks = config.with_suffix(".md")
    write_table(
        places,
        path,
        command=f"python -m studies.mpe all --config {shown}",
        remarks=remarks.read_text("utf-8") if remarks.exists() else "",
    )
    return path
