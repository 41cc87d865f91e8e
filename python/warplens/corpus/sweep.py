"""A sweep over gamma: which events of a corpus each gamma loses, and which gamma to train with."""

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from warplens.analysis.sweep.gamma_choice import SHARE_TO_KEEP, GammaChoice, check_share, choose_gamma
from warplens.analysis.sweep.gamma_sweep import GammaSweep, pool
from warplens.corpus.inputs.shard import Shard
from warplens.corpus.inputs.source import POOLED_ID
from warplens.corpus.progress import Progress
from warplens.corpus.results.sweep_figure import draw_sweep
from warplens.corpus.results.table import Row, write_csv
from warplens.corpus.run_items import open_run
from warplens.corpus.settings import Settings
from warplens.corpus.sweep_work import SweepOutcome, SweepWork
from warplens.io import DEFAULT_SIZE_LIMIT
from warplens.io.replacing import replacing

COLUMNS = (
    "id",
    "gamma",
    "events",
    "events_below_threshold",
    "kept",
    "short_event_peak",
    "blur",
    "entropy",
    "f_measure",
)

_SETTINGS = ("gammas", "cost", "step_weights", "threshold", "fps", "pitch_classes")
"""Settings that a sweep uses."""


@dataclass(frozen=True)
class SweepRun:
    """Outcomes and files of a sweep.

    Attributes:
        outcomes: sorted by id.
        ignored: files that were not looked at.
        results: folders of earlier results within the inputs, which were passed over.
        pooled: all events of all items that did not fail, None if all did, or if the run did a shard.
        choice: the recommendation, None if the run did a shard.
        table: OUT/sweep.csv, likewise.
        figure: OUT/sweep.png, None if there is none.
    """

    outcomes: list[SweepOutcome]
    ignored: int
    results: list[Path]
    pooled: GammaSweep | None
    choice: GammaChoice | None
    table: Path | None
    figure: Path | None

    @property
    def failed(self) -> list[SweepOutcome]:
        """Items that failed."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]


def sweep(
    inputs: Sequence[Path],
    out: Path,
    settings: Settings,
    *,
    share: float = SHARE_TO_KEEP,
    size_limit: int | None = DEFAULT_SIZE_LIMIT,
    processes: int | None = None,
    scheduler: str | None = None,
    item_timeout: float | None = None,
    shard: Shard | None = None,
    allow_external: bool = False,
    progress: Progress | None = None,
) -> SweepRun:
    """Run every item of the inputs at every gamma, and recommend the largest that keeps nearly all events.

    Writes, with bytes that depend on inputs and settings alone:

    - OUT/sweep.csv, a row for each item and gamma, one of an empty gamma for an item that failed, then a row
      for each gamma with the id "all" for all items together. `entropy` is that of the distribution of paths,
      in nats; `blur` the mean fade of onsets and offsets, in frames; `short_event_peak` the mean peak of the
      shortest quartile of events by expected duration at that gamma. Together, counts and entropies add up,
      `blur` and `f_measure` (of the items whose strong target is known) are those of all events and frames as
      if they were one item's, and `short_event_peak` is the mean over the short events of all items, each
      short within its own item. A cell is empty where a measure is not defined.
    - OUT/recommendation.json, the `GammaChoice`: its gamma, kept, threshold and reason.
    - OUT/sweep.png, the curves of all items together, with the extra `display`.
    - OUT/sweep/<id>.json, the sums of an item: one that was written under the same content and settings is
      not run again.

    An item that fails takes no part in the recommendation, whose reason says so; OUT/run.json has what failed
    and why, and times, host and versions.

    Args:
        inputs: files and folders, see `collect`.
        out: folder for the results, made if it is not there.
        settings: gammas, cost, step weights, threshold and fps; the others are not used.
        share: of all events, that a recommended gamma must keep.
        size_limit: bytes that the arrays of one item may take, its alignments among them, None for any.
        processes: items in work at a time; None as `warplens.get_num_threads()`.
        scheduler: address of a Dask scheduler that is to run the items; its workers must see inputs and `out`
            under the same paths.
        item_timeout: seconds after which an item fails that is not done, None for any number. Not with a
            scheduler. What finds the items, and the report of those that are done, has no limit.
        shard: the part of the items to do. Only their files are written; a run over all of them, which then
            finds them done, writes the others.
        allow_external: read what links and files of the inputs refer to outside them; it may be any file that
            the user can read.
        progress: is told of each item as it is done.

    Raises:
        ValueError: the share or the time limit is out of range, or the limit cannot be kept.
        InputError: an input is missing, nothing is found, or ids clash (see `collect`); `out` holds something
            else under the name of a result.
        EngineError: processes cannot be started or the scheduler cannot be reached.
        OSError: the results cannot be written.
    """
    check_share(share)
    with open_run(
        "sweep",
        inputs,
        out,
        processes=processes,
        scheduler=scheduler,
        item_timeout=item_timeout,
        shard=shard,
        allow_external=allow_external,
    ) as items:
        outcomes = items.do(SweepWork(items.out, settings, size_limit), progress)
    out, ignored, results = items.out, items.ignored, items.results
    if shard is not None:
        return SweepRun(outcomes, ignored, results, None, None, None, None)
    swept = [outcome.sweep for outcome in outcomes if outcome.sweep is not None]
    pooled = pool(swept) if swept else None
    choice = _choose(pooled, settings, share, outcomes)
    table = out / "sweep.csv"
    write_csv(table, COLUMNS, _rows(outcomes, pooled))
    with replacing(out / "recommendation.json") as file:
        fields = {name: getattr(choice, name) for name in ("gamma", "kept", "threshold", "reason")}
        file.write((json.dumps(fields, indent=2) + "\n").encode())
    figure = draw_sweep(out / "sweep.png", pooled, recommended=choice.gamma, share=share)
    run = SweepRun(outcomes, ignored, results, pooled, choice, table, figure)
    items.end(
        outcomes,
        {**{name: settings.as_record()[name] for name in _SETTINGS}, "share": share},
        failures={outcome.id: outcome.error for outcome in run.failed},
    )
    return run


def _choose(
    pooled: GammaSweep | None, settings: Settings, share: float, outcomes: Sequence[SweepOutcome]
) -> GammaChoice:
    failed = sum(outcome.error is not None for outcome in outcomes)
    if pooled is None:
        return GammaChoice(None, None, None, settings.threshold, f"All {failed} items failed.")
    choice = choose_gamma(pooled, share=share)
    if failed == 0:
        return choice
    note = f"{failed} of {len(outcomes)} items failed and are not counted."
    return dataclasses.replace(choice, reason=f"{choice.reason} {note}")


def _rows(outcomes: Sequence[SweepOutcome], pooled: GammaSweep | None) -> Iterator[Row]:
    """Yield the rows of the items in order, then those of all together."""
    for outcome in outcomes:
        if outcome.sweep is None:
            yield {"id": outcome.id}
        else:
            yield from _rows_of(outcome.id, outcome.sweep)
    if pooled is not None:
        yield from _rows_of(POOLED_ID, pooled)


def _rows_of(item_id: str, swept: GammaSweep) -> Iterator[Row]:
    measures = {name: getattr(swept, name).tolist() for name in COLUMNS[4:]}
    for g, gamma in enumerate(swept.gammas.tolist()):
        yield {
            "id": item_id,
            "gamma": gamma,
            "events": swept.events,
            "events_below_threshold": int(swept.lost[g]),
            **{name: None if math.isnan(each[g]) else each[g] for name, each in measures.items()},
        }
