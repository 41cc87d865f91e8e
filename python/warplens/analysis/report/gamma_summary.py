"""Summary of all items at each gamma, and advice on which gamma to train with."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.percent import decimals_of_percent, percent
from warplens.analysis.report.measure_table import of_notes
from warplens.analysis.report.overview import SHOWN, Overview, ShownMeasure
from warplens.analysis.sweep.gamma_choice import SHARE_TO_KEEP, largest_that_keeps
from warplens.analysis.ticks import round_steps

_BINS = 24
_FEWEST_FOR_A_HISTOGRAM = 8


class Histogram(NamedTuple):
    """Counts of items from 0 to `top`: an SVG path in a box of 1 by 1, and a sentence."""

    path: str
    top: str
    words: str


class GammaSummary(NamedTuple):
    """A line of the table by gamma; text is "–" where a number is not known."""

    gamma: str
    events: int
    lost: int
    lost_over_items: Histogram | None
    blur_over_items: Histogram | None
    measures: list[str]
    """As `headings` names them."""

    @property
    def kept(self) -> float:
        """Share of the events that are kept, 1 where there are none."""
        return (self.events - self.lost) / self.events if self.events else 1.0

    @property
    def lost_share(self) -> float:
        """Share of the events that are lost, 0 where there are none."""
        return self.lost / self.events if self.events else 0.0

    @property
    def lost_percent(self) -> str:
        """That share in percent."""
        return percent(self.lost_share, lost=True)


def gamma_summaries(overview: Overview) -> list[GammaSummary]:
    """Summarize all items at each gamma, ascending."""
    blur = overview.measures.get("blur")
    blur_top = _round_top(blur)
    summaries = []
    for g, gamma in enumerate(overview.gammas):
        known = ~np.isnan(overview.lost[g])
        shares = overview.lost[g][known] / np.maximum(overview.events[known], 1)
        measures = []
        for shown in _known(overview):
            value = overview.pooled(shown, g)
            text = "–" if value is None else f"{value:.{shown.decimals}f}"
            if value is not None and shown.weight == "matched_notes":
                text += f" ({of_notes(*overview.notes(g))})"
            measures.append(text)
        summaries.append(
            GammaSummary(
                format(gamma, "g"),
                int(overview.events[known].sum()),
                int(overview.lost[g][known].sum()),
                _histogram(shares, 1.0, partial(percent, lost=True)),
                None if blur is None else _histogram(blur[g][~np.isnan(blur[g])], blur_top, _three_digits),
                measures,
            )
        )
    return summaries


def headings(overview: Overview) -> list[str]:
    """Return the headings of `GammaSummary.measures`."""
    return [heading_of(shown, overview) for shown in _known(overview)]


def heading_of(shown: ShownMeasure, overview: Overview) -> str:
    """Return the heading of a measure, in the words of the loss."""
    return shown.heading.replace("event", overview.word)


def headline(summaries: list[GammaSummary], word: str = "event") -> str:
    """Say what is lost at the gamma that loses the largest share, and how much less others lose."""
    worst = max(reversed(summaries), key=lambda each: each.lost_share)
    if not worst.lost:
        return f"At γ = {', '.join(each.gamma for each in summaries)} no {word} is lost."
    others = [f"{_so_many(each.lost, word)} at γ = {each.gamma}" for each in summaries if each is not worst]
    rest = f" It loses {', '.join(others)}." if others else ""
    return (
        f"At γ = {worst.gamma} this loss teaches the network to lose {worst.lost} of {worst.events} {word}s "
        f"({worst.lost_percent}).{rest}"
    )


def advice(summaries: list[GammaSummary], threshold: str, word: str = "event") -> str:
    """Recommend a gamma of the run, by the rule of `choose_gamma`."""
    with_events = [each for each in summaries if each.events]
    if not with_events:
        if word == "label":
            return "The items have no labels."
        return "The weak targets have no events: nothing is ever active in them."
    decimals = decimals_of_percent(SHARE_TO_KEEP)
    kept = [percent(each.kept, decimals) for each in with_events]
    wanted = percent(SHARE_TO_KEEP, decimals)
    g, is_enough = largest_that_keeps(np.array([each.kept for each in with_events]))
    gamma = with_events[g].gamma
    if is_enough:
        words = (
            f"γ = {gamma} is the largest of the run that keeps at least {wanted} of all "
            f"{word}s at or above {threshold}: it keeps {kept[g]}."
        )
        worst = min(range(g + 1), key=lambda lower: with_events[lower].kept)
        if with_events[worst].kept < SHARE_TO_KEEP:
            words += f" A smaller one is not safer here: γ = {with_events[worst].gamma} keeps {kept[worst]}."
    else:
        words = (
            f"No γ of the run keeps {wanted} of all {word}s at or above {threshold}; "
            f"the nearest is γ = {gamma}, which keeps {kept[g]}."
        )
    return words + " “warplens sweep” tries more values and gives its reasons."


def _so_many(lost: int, word: str) -> str:
    return f"{lost} {word}{'s' if lost > 1 else ''}" if lost else "none"


def _known(overview: Overview) -> list[ShownMeasure]:
    return [shown for shown in SHOWN if shown.name in overview.measures]


def _round_top(values: NDArray[np.float64] | None) -> float:
    most = 0.0 if values is None or np.isnan(values).all() else float(np.nanmax(values))
    if most <= 0:
        return 1.0
    step = round_steps(most, 4)
    return float(step * np.ceil(most / step - 1e-9))


def _three_digits(value: float) -> str:
    return f"{value:.3g}"


def _histogram(values: NDArray[np.float64], top: float, write: Callable[[float], str]) -> Histogram | None:
    """Count the values in bins from 0 to top, drawn to the height of the fullest bin."""
    if len(values) < _FEWEST_FOR_A_HISTOGRAM:
        return None
    counts, _ = np.histogram(np.clip(values, 0, top), bins=_BINS, range=(0, top))
    # A bin with a single item among thousands still shows.
    heights = np.where(counts > 0, np.maximum(counts / counts.max(), 0.04), 0)
    bars = "".join(
        f"M{i / _BINS:.4g} 1v{-height:.3g}h{0.86 / _BINS:.3g}V1z"
        for i, height in enumerate(heights)
        if height
    )
    low, middle, high = map(write, np.quantile(values, (0.05, 0.5, 0.95)).tolist())
    return Histogram(bars, write(top), f"median {middle}, nine of ten items between {low} and {high}")
