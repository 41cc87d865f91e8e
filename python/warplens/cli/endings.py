"""How commands end that work through items: 0 all is well, 1 something failed, 2 the command was misused."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from warplens.cli.printable import printable
from warplens.corpus import EngineError, Finished, InputError

if TYPE_CHECKING:
    from warplens.corpus import Outcome

_MOST_NAMED = 5
_MOST_WARNINGS = 20


@contextmanager
def sentences_for_errors(out: Path) -> Iterator[None]:
    """Turn what can be wrong with inputs, results and those who do the work into a sentence and a status."""
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"{printable(str(out))} is a file, results need a folder (-o)")
    try:
        yield
    except InputError as error:
        raise click.UsageError(printable(str(error))) from error
    except EngineError as error:
        raise click.ClickException(printable(str(error))) from error
    except OSError as error:
        raise click.ClickException(f"{printable(str(error))}: the results could not be written") from error


def tell_results(results: Sequence[Path]) -> None:
    """Say in which folders results of a run were passed over."""
    if results:
        named = ", ".join(printable(str(folder)) for folder in results[:_MOST_NAMED])
        more = f" and {len(results) - _MOST_NAMED} more folders" if len(results) > _MOST_NAMED else ""
        click.echo(f"Results of a run are not items, and were passed over in {named}{more}", err=True)


def tell_warnings(outcomes: "Sequence[Outcome]") -> None:
    """Say what to mind about the results."""
    warned = [outcome for outcome in outcomes if outcome.warning]
    for outcome in warned[:_MOST_WARNINGS]:
        click.echo(printable(f"Warning: {outcome.id}: {outcome.warning}"), err=True)
    if len(warned) > _MOST_WARNINGS:
        click.echo(f"Warning: so in {len(warned) - _MOST_WARNINGS} more items", err=True)


def end(outcomes: Sequence[Finished]) -> None:
    """List what failed and leave with the status that says so."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        click.echo(f"{len(failed)} of {len(outcomes)} items failed:", err=True)
        for outcome in failed:
            click.echo(printable(f"  {outcome.id}: {outcome.error}"), err=True)
        raise SystemExit(1)
