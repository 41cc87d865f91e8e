"""Messages of commands: errors as sentences, warnings, failed items, and the exit status.

Exit status: 0 all is well, 1 an item failed or results could not be written, 2 the command was misused,
130 it was interrupted.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from warplens.corpus import Finished, Outcome, Shard, SweepOutcome

_STATUS_OF_INTERRUPTION = 130
"""As in shells."""

_MOST_NAMED = 5
_MOST_WARNINGS = 20
_MOST_FAILURES = 20


class InterruptibleGroup(click.Group):
    """A group of commands that Ctrl-C ends with a sentence and status 130."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nInterrupted; run the same command again to continue.", err=True)
            ctx.exit(_STATUS_OF_INTERRUPTION)


@contextmanager
def errors_as_sentences(out: Path) -> Iterator[None]:
    """Turn errors of inputs, results, workers and schedulers into a sentence and a status."""
    from warplens.corpus import EngineError, InputError  # here, since the group of commands needs neither

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


def print_ignored_results(results: Sequence[Path]) -> None:
    """Name the folders in which results of earlier runs were ignored."""
    if results:
        named = ", ".join(printable(str(folder)) for folder in results[:_MOST_NAMED])
        more = f" and {len(results) - _MOST_NAMED} more folders" if len(results) > _MOST_NAMED else ""
        click.echo(f"Results of earlier runs are not items, and were ignored in {named}{more}", err=True)


def print_links(links: Sequence[Path]) -> None:
    """Name the links to folders that were not followed."""
    if links:
        named = ", ".join(printable(str(link)) for link in links[:_MOST_NAMED])
        more = f" and {len(links) - _MOST_NAMED} more" if len(links) > _MOST_NAMED else ""
        click.echo(
            f"Links to folders are not followed: {named}{more}; name a folder as INPUT to have it read",
            err=True,
        )


def print_warnings(outcomes: "Sequence[Outcome | SweepOutcome]") -> None:
    """Print the warnings about results."""
    warned = [outcome for outcome in outcomes if outcome.warning]
    for outcome in warned[:_MOST_WARNINGS]:
        click.echo(printable(f"Warning: {outcome.id}: {outcome.warning}"), err=True)
    if len(warned) > _MOST_WARNINGS:
        click.echo(f"Warning: {len(warned) - _MOST_WARNINGS} more items have such warnings", err=True)


def exit_with_failures(outcomes: "Sequence[Finished]") -> None:
    """List the failed items and exit with status 1 if there are any."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        click.echo(f"{len(failed)} of {len(outcomes)} items failed:", err=True)
        for outcome in failed[:_MOST_FAILURES]:
            click.echo(printable(f"  {outcome.id}: {outcome.error}"), err=True)
        if len(failed) > _MOST_FAILURES:
            click.echo(f"  and {len(failed) - _MOST_FAILURES} more", err=True)
        raise SystemExit(1)


def analysis_record(outcome: "Outcome") -> dict[str, Any]:
    """Return what `--json` tells of an item: its measures at every gamma, by the columns of items.csv."""
    measured = outcome.measured
    about = {"id": outcome.id, "status": "ok" if measured else "failed"}
    if measured is None:
        return {**about, "error": outcome.error}
    n_frames, n_targets, n_features = measured.shape
    return {
        **about,
        "N": n_frames,
        "M": n_targets,
        "D": n_features,
        "warning": outcome.warning,
        "gammas": [{"gamma": gamma, **measured.measures(g)} for g, gamma in enumerate(measured.gammas)],
    }


def print_json(record: Mapping[str, Any]) -> None:
    """Print one line of JSON; numbers that are not finite, which JSON lacks, become null."""
    click.echo(json.dumps(_of_json(record)))


def _of_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _of_json(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_of_json(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_next_step(shard: "Shard", command: str, results: str) -> None:
    """Tell what follows the run of a shard."""
    click.echo(
        f"Shard {shard.index} of {shard.count} is done. After all of them the same warplens {command} "
        f"without --shard writes {results}.",
        err=True,
    )


def printable(text: str) -> str:
    """Replace whatever does not print by its escape.

    File names may hold any byte, so ids, and messages that name files, may hold what moves the cursor,
    changes colours, or is not Unicode.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
