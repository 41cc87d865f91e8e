"""A sweep over gamma: which events of a corpus each gamma loses, and which gamma to train with."""

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from warplens.analysis.sweep.gamma_choice import SHARE_TO_KEEP, GammaChoice, check_share, choose_gamma
from warplens.analysis.sweep.gamma_sweep import GammaSweep, pool
from warplens.analysis.sweep.setting_choice import SettingChoice, choose_setting
from warplens.analysis.sweep.setting_sweep import BlankSetting, SettingSweep, pool_settings
from warplens.corpus.inputs.shard import Shard
from warplens.corpus.inputs.source import POOLED_ID
from warplens.corpus.progress import Progress
from warplens.corpus.results.sweep_figure import draw_sweep
from warplens.corpus.results.table import Row, headings_of, write_csv
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

COLUMNS_OF_SETTINGS = (
    "id",
    "gamma",
    "blank_penalty",
    "prior_scale",
    "events",
    "events_below_threshold",
    "lost_to_blanks",
    "kept",
    "short_event_peak",
    "duration",
    "blank_share",
    "blur",
    "entropy",
    "f_measure",
)
"""Columns where a loss with blanks is swept over its settings."""

PENALTIES = (0.0, 0.5, 1.0, 2.0, 4.0)
SCALES = (0.0, 0.5, 1.0)
"""Blank penalties and, with log priors, prior scales that are tried unless others are given."""

_SETTINGS = ("gammas", "cost", "step_weights", "threshold", "fps", "pitch_classes", "loss")
"""Settings that a sweep uses."""


@dataclass(frozen=True)
class SweepRun:
    """Outcomes and files of a sweep.

    Attributes:
        outcomes: sorted by id.
        ignored: files that were not looked at.
        results: folders of earlier results within the inputs, which were passed over.
        links: links to folders within the inputs, which were not followed.
        pooled: all events of all items that did not fail, None if all did, or if the run did a shard.
        choice: the recommendation, None if the run did a shard.
        table: OUT/sweep.csv, likewise.
        figure: OUT/sweep.png, None if there is none.
        word: what the loss calls an event: "event" or "label".
    """

    outcomes: list[SweepOutcome]
    ignored: int
    results: list[Path]
    links: list[Path]
    pooled: GammaSweep | SettingSweep | None
    choice: GammaChoice | SettingChoice | None
    table: Path | None
    figure: Path | None
    word: str = "event"

    @property
    def failed(self) -> list[SweepOutcome]:
        """Items that failed."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]


def sweep(
    inputs: Sequence[Path],
    out: Path,
    settings: Settings,
    *,
    blank_penalties: Sequence[float] | None = None,
    prior_scales: Sequence[float] | None = None,
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

    The losses ctc and multi-label-ctc are swept over every combination of gamma, blank penalty and prior
    scale. Then sweep.csv has the columns `COLUMNS_OF_SETTINGS` (labels for events where targets are classes),
    recommendation.json the setting nearest to the plain loss that keeps the share of all labels (see
    `choose_setting`), and there is no figure.

    An item that fails takes no part in the recommendation, whose reason says so; OUT/run.json has what failed
    and why, and times, host and versions.

    Args:
        inputs: files and folders, see `collect`.
        out: folder for the results, made if it is not there.
        settings: gammas, cost, step weights, threshold, fps and loss; the others are not used.
        blank_penalties: of ctc and multi-label-ctc; None is that of the loss if it has one, else `PENALTIES`.
        prior_scales: of ctc with log priors; None is that of the loss if it has one, else `SCALES`.
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
        ValueError: the share or the time limit is out of range, or the limit cannot be kept; the loss does
            not know what is to be swept.
        InputError: an input is missing, nothing is found, or ids clash (see `collect`); `out` holds something
            else under the name of a result.
        EngineError: processes cannot be started or the scheduler cannot be reached.
        OSError: the results cannot be written.
    """
    check_share(share)
    grid = settings_grid(settings, blank_penalties, prior_scales)
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
        outcomes = items.do(SweepWork(items.out, settings, size_limit, grid), progress)
    out, ignored, results, links = items.out, items.ignored, items.results, items.links
    if shard is not None:
        return SweepRun(outcomes, ignored, results, links, None, None, None, None)
    pooled = _pooled(outcomes)
    choice = _choose(pooled, settings, share, outcomes)
    table = out / "sweep.csv"
    columns = COLUMNS_OF_SETTINGS if grid else COLUMNS
    write_csv(table, columns, _rows(outcomes, pooled), headings_of(settings.loss, columns))
    with replacing(out / "recommendation.json") as file:
        file.write((json.dumps(_record_of(choice), indent=2) + "\n").encode())
    over_gamma = pooled if isinstance(pooled, GammaSweep) else None
    recommended = choice.gamma if isinstance(choice, GammaChoice) else None
    figure = draw_sweep(out / "sweep.png", over_gamma, recommended=recommended, share=share)
    word = settings.loss.target_word
    run = SweepRun(outcomes, ignored, results, links, pooled, choice, table, figure, word)
    items.end(
        outcomes,
        {**{name: settings.as_record()[name] for name in _SETTINGS}, **_swept_over(grid), "share": share},
        failures={outcome.id: outcome.error for outcome in run.failed},
    )
    return run


def settings_grid(
    settings: Settings, blank_penalties: Sequence[float] | None, prior_scales: Sequence[float] | None
) -> tuple[BlankSetting, ...]:
    """Return the settings that a loss with blanks is swept over; none for other losses.

    Raises:
        ValueError: the loss does not know what is to be swept, or a number is not finite.
    """
    loss = settings.loss
    given = {"blank_penalty": blank_penalties, "prior_scale": prior_scales}
    for name, values in given.items():
        if values is None:
            continue
        loss.check_known([name])
        if getattr(loss, name) is not None:
            raise ValueError(f"{name}: is given, and several to sweep over as well; give one or the other")
        if len(values) == 0 or not all(math.isfinite(value) for value in values):
            raise ValueError(f"{name}: is {tuple(values)} to sweep over; finite numbers are accepted")
    if prior_scales is not None and any(prior_scales) and loss.log_priors is None:
        raise ValueError("prior_scale: belongs to log_priors, which are not given (--log-priors)")
    if loss.kind not in ("labels", "multi-hot"):
        return ()
    if loss.blank_penalty is not None and not math.isfinite(loss.blank_penalty):
        raise ValueError(f"blank_penalty: is {loss.blank_penalty}; a sweep accepts finite numbers")
    penalties = _values(blank_penalties, loss.blank_penalty, PENALTIES)
    scales = _values(prior_scales, loss.prior_scale, (0.0,) if loss.log_priors is None else SCALES)
    return tuple(
        BlankSetting(gamma, penalty, scale)
        for gamma in settings.gammas
        for penalty in penalties
        for scale in scales
    )


def _values(several: Sequence[float] | None, one: float | None, default: Sequence[float]) -> list[float]:
    chosen = several if several is not None else default if one is None else [one]
    return sorted({float(value) for value in chosen})


def _swept_over(grid: Sequence[BlankSetting]) -> dict[str, list[float]]:
    if not grid:
        return {}
    return {
        "blank_penalties": sorted({setting.blank_penalty for setting in grid}),
        "prior_scales": sorted({setting.prior_scale for setting in grid}),
    }


def _pooled(outcomes: Sequence[SweepOutcome]) -> GammaSweep | SettingSweep | None:
    swept = [outcome.sweep for outcome in outcomes if outcome.sweep is not None]
    over_gamma = [each for each in swept if isinstance(each, GammaSweep)]
    over_settings = [each for each in swept if isinstance(each, SettingSweep)]
    if over_settings:
        return pool_settings(over_settings)
    return pool(over_gamma) if over_gamma else None


def _record_of(choice: GammaChoice | SettingChoice) -> dict[str, float | str | None]:
    if isinstance(choice, SettingChoice):
        return choice.as_record()
    return {name: getattr(choice, name) for name in ("gamma", "kept", "threshold", "reason")}


def _choose(
    pooled: GammaSweep | SettingSweep | None,
    settings: Settings,
    share: float,
    outcomes: Sequence[SweepOutcome],
) -> GammaChoice | SettingChoice:
    failed = sum(outcome.error is not None for outcome in outcomes)
    if pooled is None:
        return GammaChoice(None, None, None, settings.threshold, f"All {failed} items failed.")
    choice: GammaChoice | SettingChoice
    if isinstance(pooled, SettingSweep):
        choice = choose_setting(pooled, share=share, word=settings.loss.target_word)
    else:
        choice = choose_gamma(pooled, share=share, word=settings.loss.target_word)
    if failed == 0:
        return choice
    note = f"{failed} of {len(outcomes)} items failed and are not counted."
    return dataclasses.replace(choice, reason=f"{choice.reason} {note}")


def _rows(outcomes: Sequence[SweepOutcome], pooled: GammaSweep | SettingSweep | None) -> Iterator[Row]:
    """Yield the rows of the items in order, then those of all together."""
    for outcome in outcomes:
        if outcome.sweep is None:
            yield {"id": outcome.id}
        else:
            yield from _rows_of(outcome.id, outcome.sweep)
    if pooled is not None:
        yield from _rows_of(POOLED_ID, pooled)


def _rows_of(item_id: str, swept: GammaSweep | SettingSweep) -> Iterator[Row]:
    names = COLUMNS_OF_SETTINGS[7:] if isinstance(swept, SettingSweep) else COLUMNS[4:]
    measures = {name: getattr(swept, name).tolist() for name in names}
    settings = swept.settings if isinstance(swept, SettingSweep) else [None] * len(swept.gammas)
    for g, (gamma, setting) in enumerate(zip(swept.gammas.tolist(), settings, strict=True)):
        yield {
            "id": item_id,
            "gamma": gamma,
            **({} if setting is None else setting._asdict()),
            "events": swept.events,
            "events_below_threshold": int(swept.lost[g]),
            "lost_to_blanks": int(swept.lost_to_blanks[g]) if isinstance(swept, SettingSweep) else None,
            **{name: None if math.isnan(each[g]) else each[g] for name, each in measures.items()},
        }
