"""Command `warplens sweep`."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from warplens.analysis.losses.options import Loss
from warplens.analysis.percent import rounded_percent
from warplens.analysis.sweep.gamma_choice import SHARE_TO_KEEP, GammaChoice, check_share
from warplens.analysis.sweep.gamma_sweep import GammaSweep
from warplens.analysis.sweep.setting_choice import SettingChoice
from warplens.analysis.sweep.setting_sweep import SettingSweep
from warplens.cli import options
from warplens.cli.loss_options import loss_of, loss_options
from warplens.cli.output import (
    errors_as_sentences,
    exit_with_failures,
    print_ignored_results,
    print_json,
    print_links,
    print_next_step,
    print_warnings,
    printable,
)
from warplens.cli.param_types import NumbersCommand, NumbersOption, gammas_in, gammas_of
from warplens.cli.progress import ProgressReport
from warplens.corpus import Settings, Shard, SweepOutcome, SweepRun, sweep
from warplens.corpus.sweep import PENALTIES, SCALES, settings_grid
from warplens.corpus.workers.engine import check_item_timeout

if TYPE_CHECKING:
    from rich.table import Table

_GRID = "0.01:100:13"

_MOST_NAMED = 3
"""Items with the most lost events that are named."""


@click.command("sweep", cls=NumbersCommand)
@options.inputs
@options.out
@options.gammas(f"{_GRID}; 1 under ctc and multi-label-ctc")
@click.option(
    "--blank-penalties",
    cls=NumbersOption,
    metavar="P...",
    help="ctc, multi-label-ctc: blank penalties to try, each with every gamma.  "
    f"[default: {' '.join(format(each, 'g') for each in PENALTIES)}]",
)
@click.option(
    "--prior-scales",
    cls=NumbersOption,
    metavar="S...",
    help="ctc with --log-priors: prior scales to try.  "
    f"[default: {' '.join(format(each, 'g') for each in SCALES)}]",
)
@loss_options
@options.step_weights
@options.cost
@options.threshold
@options.fps
@options.pitch_classes
@click.option(
    "--share",
    type=float,
    default=SHARE_TO_KEEP,
    show_default=True,
    help="Share of all events that a recommended gamma must keep at or above the threshold.",
)
@options.shard
@options.allow_external
@options.size_limit
@options.processes
@options.scheduler
@options.item_timeout
@options.quiet
@options.as_json
def sweep_command(
    inputs: tuple[Path, ...],
    out: Path,
    gammas: tuple[tuple[float, ...], ...],
    blank_penalties: tuple[float, ...],
    prior_scales: tuple[float, ...],
    step_weights: tuple[float, float, float] | None,
    cost: str | None,
    threshold: float,
    fps: float | None,
    pitch_classes: bool,
    share: float,
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
    """Choose the gamma to train with: how many events each one keeps, and how it loses the others.

    INPUT are items as for `warplens analyze`: npz, npy sets, HDF5, zarr, safetensors, folders of them, or
    manifests. The recommendation is the largest gamma of the grid that keeps the share of all events at or
    above the threshold; under ctc and multi-label-ctc the setting of gamma, blank penalty and prior scale
    nearest to the plain loss that does so.

    Results: sweep.csv, recommendation.json and, with matplotlib, sweep.png in the folder OUT. A second
    run does only new items.
    """
    try:
        loss = loss_of(of_loss)
        settings = Settings(
            gammas_in(gammas) or _default_grid(loss),
            cost,
            step_weights,
            threshold,
            fps,
            pitch_classes=pitch_classes,
            loss=loss,
        )
        settings_grid(settings, blank_penalties or None, prior_scales or None)
        check_share(share)
        check_item_timeout(item_timeout, scheduler)
        chosen_shard = None if shard is None else Shard.parse(shard)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error
    with errors_as_sentences(out), ProgressReport(quiet=quiet) as progress:
        run = sweep(
            inputs,
            out,
            settings,
            blank_penalties=blank_penalties or None,
            prior_scales=prior_scales or None,
            share=share,
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
            print_json(_record(outcome))
    elif run.choice is not None and not quiet:
        _print_choice(run, run.choice)
    if chosen_shard is not None and not quiet:
        print_next_step(chosen_shard, "sweep", "table and recommendation")
    exit_with_failures(run.outcomes)


def _record(outcome: SweepOutcome) -> dict[str, Any]:
    """Return what `--json` tells of an item: its sums, lists over gammas or settings."""
    if outcome.sweep is None:
        return {"id": outcome.id, "status": "failed", "error": outcome.error}
    sums = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(outcome.sweep).items()
    }
    return {"id": outcome.id, "status": "ok", "warning": outcome.warning, **sums}


def _default_grid(loss: Loss) -> tuple[float, ...]:
    return (1.0,) if loss.kind in ("labels", "multi-hot") else gammas_of(_GRID)


def _print_choice(run: SweepRun, choice: GammaChoice | SettingChoice) -> None:
    pooled = run.pooled
    place = None if pooled is None else _place(pooled, choice)
    if pooled is not None:
        from rich.console import Console  # here, as in `_table`

        Console(highlight=False).print(_table(pooled, place, run.word))
    click.echo(choice.reason)
    if pooled is not None and place is not None:
        click.echo(_losing_items(run.outcomes, place, _described(pooled, place), run.word), nl=False)
    where = f"Table: {run.table}" if run.figure is None else f"Table and curves: {run.table}, {run.figure}"
    click.echo(printable(where))


def _place(pooled: GammaSweep | SettingSweep, choice: GammaChoice | SettingChoice) -> int | None:
    """Return the place of what is recommended, or of the nearest; None where there is none."""
    if choice.nearest is None:
        return None
    points: list[Any] = pooled.settings if isinstance(pooled, SettingSweep) else pooled.gammas.tolist()
    return points.index(choice.nearest)


def _described(pooled: GammaSweep | SettingSweep, g: int) -> str:
    return (
        pooled.settings[g].describe() if isinstance(pooled, SettingSweep) else f"gamma {pooled.gammas[g]:.4g}"
    )


Columns = list[tuple[str, Callable[[int], str]]]


def _table(pooled: GammaSweep | SettingSweep, marked: int | None, word: str) -> "Table":
    """Tabulate the sweep of all items, what is recommended or the nearest in bold and with an arrow."""
    from rich.table import Table  # here, since it takes longer to import than an item to sweep

    table = Table(box=None, pad_edge=False, header_style="")
    columns: Columns = [
        ("", lambda g: "->" if g == marked else ""),
        ("gamma", lambda g: f"{pooled.gammas[g]:.4g}"),
    ]
    columns += _of_settings(pooled) if isinstance(pooled, SettingSweep) else _of_gammas(pooled, word)
    if pooled.judged:
        columns.append(("F", lambda g: f"{pooled.f_measure[g]:.3f}"))
    for heading, _ in columns:
        table.add_column(heading, justify="right", vertical="bottom")
    for g in range(len(pooled.gammas)):
        table.add_row(*(cell(g) for _, cell in columns), style="bold" if g == marked else None)
    return table


def _of_gammas(pooled: GammaSweep, word: str) -> Columns:
    return [
        ("kept\n(%)", lambda g: _or_blank(lambda kept: f"{rounded_percent(kept):.1f}", pooled.kept[g])),
        ("lost to\nblur", lambda g: str(pooled.lost_to_blur[g])),
        ("lost to\ncollapse", lambda g: str(pooled.lost_to_collapse[g])),
        (f"peak of\nshort {word}s", lambda g: _or_blank("{:.2f}".format, pooled.short_event_peak[g])),
        ("blur\n(frames)", lambda g: _or_blank("{:.1f}".format, pooled.blur[g])),
        ("path\nentropy\nper frame", lambda g: f"{pooled.entropy_rate[g]:.3f}"),
    ]


def _of_settings(pooled: SettingSweep) -> Columns:
    columns: Columns = [("blank\npenalty", lambda g: f"{pooled.blank_penalties[g]:.4g}")]
    if pooled.prior_scales.any():
        columns.append(("prior\nscale", lambda g: f"{pooled.prior_scales[g]:.4g}"))
    return [
        *columns,
        ("kept\n(%)", lambda g: _or_blank(lambda kept: f"{rounded_percent(kept):.1f}", pooled.kept[g])),
        ("lost to\nblanks", lambda g: str(pooled.lost_to_blanks[g])),
        ("lost to\nblur", lambda g: str(pooled.lost[g] - pooled.lost_to_blanks[g])),
        ("duration\n(frames)", lambda g: _or_blank("{:.2f}".format, pooled.duration[g])),
        ("on blanks\n(%)", lambda g: f"{100 * pooled.blank_share[g]:.1f}"),
    ]


def _or_blank(text: Callable[[float], str], value: float) -> str:
    return "" if math.isnan(value) else text(value)


def _losing_items(outcomes: Sequence[SweepOutcome], g: int, point: str, word: str) -> str:
    """Return a line that names the items with the most lost events at the g-th point, if several exist."""
    swept = {outcome.id: outcome.sweep for outcome in outcomes if outcome.sweep is not None}
    losing = sorted(
        (item_id for item_id in swept if swept[item_id].lost[g]), key=lambda item_id: -swept[item_id].lost[g]
    )
    if len(swept) < 2 or not losing:
        return ""
    named = ", ".join(
        f"{printable(item_id)} ({swept[item_id].lost[g]} of {swept[item_id].events})"
        for item_id in losing[:_MOST_NAMED]
    )
    return f"At {point}, {len(losing)} of {len(swept)} items lose {word}s, most {named}.\n"
