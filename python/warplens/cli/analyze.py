"""Command `warplens analyze`."""

from pathlib import Path
from typing import Any, Literal

import click

from warplens.analysis.losses.options import KNOWN_LOSSES
from warplens.analysis.percent import percent
from warplens.cli import options
from warplens.cli.loss_options import loss_of, loss_options
from warplens.cli.output import (
    analysis_record,
    errors_as_sentences,
    exit_with_failures,
    print_ignored_results,
    print_json,
    print_links,
    print_next_step,
    print_warnings,
    printable,
)
from warplens.cli.param_types import NumbersCommand, gammas_in
from warplens.cli.progress import ProgressReport
from warplens.corpus import Run, Settings, Shard, analyze
from warplens.corpus.workers.engine import check_item_timeout

_GAMMAS = " ".join(format(gamma, "g") for gamma in Settings.gammas)


@click.command("analyze", cls=NumbersCommand)
@options.inputs
@options.out
@options.gammas(
    " ".join(format(gamma, "g") for gamma in Settings.gammas) + "; 1 under ctc, multi-label-ctc, forward-sum"
)
@loss_options
@options.step_weights
@options.cost
@options.threshold
@options.fps
@options.pitch_classes
@click.option("--keep-alignment", is_flag=True, help="Keep the soft alignments H in the item files.")
@click.option(
    "--sonify", is_flag=True, help="Write Y_mod as sound, items/<id>.gamma<g>.wav; the report plays it."
)
@click.option(
    "--recordings",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="With --sonify: recordings by id, played on the left, Y_mod on the right.",
)
@click.option(
    "--figures", is_flag=True, help="Draw each item into figures/<id>.*.png; takes seconds an item."
)
@click.option(
    "--pages",
    type=click.Choice(["risk", "all"]),
    default="risk",
    show_default=True,
    help="Items that get a page, above 50 of them: the 50 with the most events at risk, or all.",
)
@options.shard
@options.allow_external
@options.size_limit
@options.processes
@options.scheduler
@options.item_timeout
@options.quiet
@options.as_json
def analyze_command(
    inputs: tuple[Path, ...],
    out: Path,
    gammas: tuple[tuple[float, ...], ...],
    step_weights: tuple[float, float, float] | None,
    cost: str | None,
    threshold: float,
    fps: float | None,
    pitch_classes: bool,
    keep_alignment: bool,
    sonify: bool,
    recordings: Path | None,
    figures: bool,
    pages: Literal["risk", "all"],
    shard: str | None,
    allow_external: bool,
    size_limit: int,
    processes: int | None,
    scheduler: str | None,
    item_timeout: float | None,
    quiet: bool,
    as_json: bool,
    **of_loss: Any,
) -> None:
    """Show what an alignment loss teaches a network, from its predictions and weak targets.

    INPUT are files with items (npz, npy sets <id>.predictions.npy with <id>.weak.npy, HDF5, zarr,
    safetensors), folders of them, or manifests (CSV, parquet), with predictions (N,D) and weak (M,D), and
    where known strong (N,D), fps, lowest_pitch, pitch_classes, cost and step_weights. Other files are
    ignored. In manifests weak and strong may be lists of notes. --loss tells what other losses read.

    Results: items.csv, items/<id>.npz and report.html in the folder OUT. A second run does only new items.
    """
    try:
        loss = loss_of(of_loss)
        settings = Settings(
            gammas_in(gammas) or KNOWN_LOSSES[loss.name].gammas,
            cost,
            step_weights,
            threshold,
            fps,
            keep_alignment,
            sonify,
            recordings,
            figures,
            pitch_classes,
            loss,
        )
        check_item_timeout(item_timeout, scheduler)
        chosen_shard = None if shard is None else Shard.parse(shard)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error
    with errors_as_sentences(out), ProgressReport(quiet=quiet) as progress:
        run = analyze(
            inputs,
            out,
            settings,
            pages=pages,
            size_limit=size_limit,
            processes=processes,
            scheduler=scheduler,
            item_timeout=item_timeout,
            shard=chosen_shard,
            allow_external=allow_external,
            progress=progress,
        )
    print_ignored_results(run.results)
    print_links(run.links)
    print_warnings(run.outcomes)
    if as_json:
        for outcome in run.outcomes:
            print_json(analysis_record(outcome))
    elif not quiet:
        for line in _lost_events(run, settings):
            click.echo(line)
        if run.report:
            click.echo(printable(f"Report: {run.report}"))
    if chosen_shard is not None and not quiet:
        print_next_step(chosen_shard, "analyze", "table and report")
    exit_with_failures(run.outcomes)


def _lost_events(run: Run, settings: Settings) -> list[str]:
    lines = []
    for g, gamma in enumerate(settings.gammas):
        events = lost = 0
        for measured in (outcome.measured for outcome in run.outcomes):
            if measured is not None:
                measures = measured.measures(g)
                events += int(measures["events"])
                lost += int(measures["events_below_threshold"])
        if events:
            word = settings.loss.target_word
            share = f"{lost} of {events} {word}s ({percent(lost / events, lost=True)})"
            lines.append(f"gamma {gamma:g}: {share} stay under {settings.threshold:g}")
    return lines
