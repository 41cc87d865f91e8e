"""Command `warplens compare`."""

from pathlib import Path
from typing import Any

import click

from warplens.analysis.compared_events import ComparedEvents, most_changed_first
from warplens.cli import options
from warplens.cli.output import print_json, printable
from warplens.cli.param_types import NonEmptyPath, NumbersCommand, NumbersOption

_MOST_ROWS = 20
_MOST_LEFT_OUT = 5


@click.command("compare", cls=NumbersCommand)
@click.argument("first", metavar="FIRST", type=NonEmptyPath())
@click.argument("second", metavar="SECOND", type=NonEmptyPath())
@click.option(
    "--gamma",
    "gammas",
    cls=NumbersOption,
    metavar="G [G]",
    help="Gamma of both results, or of the first and of the second; needed where a folder has several.",
)
@click.option(
    "-o",
    "--out",
    type=NonEmptyPath(),
    default="compare.html",
    show_default=True,
    help="File of the page.",
)
@options.quiet
@options.as_json
def compare_command(
    first: Path, second: Path, gammas: tuple[float, ...], out: Path, quiet: bool, as_json: bool
) -> None:
    """Show which events the second results keep that the first lose, and which they lose themselves.

    FIRST and SECOND are folders that `warplens analyze` wrote: from two checkpoints of a network, from two
    losses, or one folder twice with two gammas. Items are compared by id.

    Results: a table of all items together and of those that changed most, and a page that draws them.
    """
    # Here, since the group of commands needs none of it.
    from warplens.analysis.report.comparison import ComparedSide, comparison_headline, write_comparison
    from warplens.corpus.compare import compare
    from warplens.corpus.inputs.source import InputError

    if len(gammas) > 2:
        raise click.UsageError(f"--gamma: {len(gammas)} of them; it takes one for both results, or two")
    if out.is_dir():
        raise click.UsageError(f"{printable(str(out))} is a folder, the page needs a file (-o)")
    gamma, second_gamma = (*gammas, None, None)[:2]
    try:
        comparison = compare(first, second, gamma=gamma, second_gamma=second_gamma)
        one, other = (
            ComparedSide(name, results.gamma)
            for name, results in zip(
                _names(first, second), (comparison.first, comparison.second), strict=True
            )
        )
        write_comparison(
            out,
            one,
            other,
            comparison.items,
            comparison.read,
            threshold=comparison.threshold,
            left_out=comparison.left_out,
        )
    except InputError as error:
        raise click.UsageError(printable(str(error))) from error
    except OSError as error:
        raise click.ClickException(printable(str(error))) from error
    pooled = comparison.pooled
    if as_json:
        for record in (*map(_record, comparison.items), *map(_record_left_out, comparison.left_out.items())):
            print_json(record)
    elif not quiet:
        headline = comparison_headline(pooled, str(one), str(other))
        for line in (*_table(comparison.items, pooled), "", headline):
            click.echo(printable(line))
    _print_left_out(comparison.left_out)
    if not (as_json or quiet):
        click.echo(printable(f"Page: {out}"))


def _record(item: ComparedEvents) -> dict[str, Any]:
    """Return what `--json` tells of an item that both results have."""
    return {
        "id": item.id,
        "status": "ok",
        f"{item.word}s": item.events,
        "lost_by_first": item.lost_by_first,
        "lost_by_second": item.lost_by_second,
        "regained": item.n_regained,
        "newly_lost": item.n_newly_lost,
    }


def _record_left_out(left_out: tuple[str, str]) -> dict[str, Any]:
    """Return what it tells of an item that could not be compared."""
    item_id, reason = left_out
    return {"id": item_id, "status": "left out", "error": reason}


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Name two folders by as many of their last parts as tell them apart; one folder needs no names."""
    one, other = first.resolve().parts, second.resolve().parts
    count = next(
        (n for n in range(1, max(len(one), len(other)) + 1) if one[-n:] != other[-n:]),
        None,
    )
    return ("", "") if count is None else ("/".join(one[-count:]), "/".join(other[-count:]))


def _table(items: list[ComparedEvents], pooled: ComparedEvents) -> list[str]:
    """Lay out all items together, then those that changed, in columns."""
    word = pooled.word
    changed = [item for item in most_changed_first(items) if item.changed]
    rows: list[tuple[str, ...]] = [
        ("item", f"{word}s", "lost by first", "by second", "regained", "newly lost")
    ]
    for item in (pooled, *changed[:_MOST_ROWS]):
        numbers = (item.events, item.lost_by_first, item.lost_by_second, item.n_regained, item.n_newly_lost)
        rows.append((printable(item.id), *map(str, numbers)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for name, *counts in rows:
        cells = [count.rjust(width) for count, width in zip(counts, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *cells]))
    if len(changed) > _MOST_ROWS:
        lines.append(f"... and {len(changed) - _MOST_ROWS} more items in which {word}s changed")
    unchanged = len(items) - len(changed)
    if unchanged:
        lines.append(f"{unchanged} of {len(items)} items keep and lose the same {word}s in both")
    return lines


def _print_left_out(left_out: dict[str, str]) -> None:
    if not left_out:
        return
    click.echo(f"{len(left_out)} item{'s' if len(left_out) > 1 else ''} not compared:", err=True)
    for item_id, reason in list(left_out.items())[:_MOST_LEFT_OUT]:
        click.echo(printable(f"  {item_id}: {reason}"), err=True)
    if len(left_out) > _MOST_LEFT_OUT:
        click.echo(f"  and {len(left_out) - _MOST_LEFT_OUT} more", err=True)
