"""The rule by which a gamma is recommended, over the curve of kept events, and its reason in words.

A small gamma blurs less and teaches short and long events alike; a large one lets the gradient reach more
alignments (Zeitler & Mueller, ISMIR 2025, section 5.3). So the rule takes the largest gamma that still keeps
nearly all events. The curve need not be monotone: at small gamma events are lost to collapsed alignments.
"""

import math
from dataclasses import dataclass

import numpy as np

from warplens.analysis.percent import decimals_of_percent, percent
from warplens.analysis.sweep.gamma_sweep import GammaSweep, Sums

SHARE_TO_KEEP = 0.95
"""Share of all events that a recommended gamma keeps, unless another is given."""


@dataclass(frozen=True)
class GammaChoice:
    """A recommended gamma.

    Attributes:
        gamma: the largest gamma that keeps the wanted share of all events; None where none does.
        nearest: that gamma, or without one the gamma that keeps the largest share; None without events.
        kept: the share of events that `nearest` keeps; None without events.
        threshold: level under which an event counts as lost.
        reason: why, in words; without a gamma it names the nearest, and what loses events there.
    """

    gamma: float | None
    nearest: float | None
    kept: float | None
    threshold: float
    reason: str


def choose_gamma(sweep: GammaSweep, *, share: float = SHARE_TO_KEEP, word: str = "event") -> GammaChoice:
    """Choose the largest gamma of a sweep that keeps at least a share of all events.

    An event is kept where its peak is at or above the threshold of the sweep.

    Args:
        sweep: sweep of one item, or of many pooled.
        share: share of all events, above 0 and at most 1.
        word: what the reason calls an event, such as "label".

    Raises:
        ValueError: the share is out of range.
    """
    check_share(share)
    if sweep.events == 0:
        return GammaChoice(None, None, None, sweep.threshold, f"The targets hold no {word}s.")
    kept = sweep.kept
    g, is_enough = largest_that_keeps(kept, share)
    gamma = float(sweep.gammas[g])
    reason = _reason_for(sweep, g, share) if is_enough else _reason_for_none(sweep, g, share)
    reason = reason.replace("event", word)
    return GammaChoice(gamma if is_enough else None, gamma, float(kept[g]), sweep.threshold, reason)


def largest_that_keeps(kept: Sums, share: float = SHARE_TO_KEEP) -> tuple[int, bool]:
    """Return the place of the largest gamma that keeps a share of the events, or else of the nearest.

    Args:
        kept: share of the events that each gamma keeps, gammas ascending, (G,), at least one.
        share: share of the events to keep.

    Returns:
        The place, and True where that gamma keeps the share; False where none does and it is the largest of
        those that keep most.
    """
    enough = np.flatnonzero(kept >= share)
    if len(enough):
        return int(enough[-1]), True
    return int(np.flatnonzero(kept == kept.max())[-1]), False


def check_share(share: float) -> float:
    """Return the share if it is one.

    Raises:
        ValueError: it is not above 0 and at most 1.
    """
    if not (math.isfinite(share) and 0 < share <= 1):
        raise ValueError(f"share: {share:g}, it must be above 0 and at most 1")
    return share


def _reason_for(sweep: GammaSweep, g: int, share: float) -> str:
    decimals = decimals_of_percent(share)
    sentences = [
        f"Gamma {sweep.gammas[g]:.4g} is the largest of the grid that keeps at least "
        f"{percent(share, decimals)} of {_events(sweep)} at or above {sweep.threshold:g}: "
        f"it keeps {_outcome(sweep, g, decimals)}."
    ]
    if g + 1 == len(sweep.gammas):
        sentences.append("It is the end of the grid: larger ones were not tried.")
    else:
        sentences.append(f"The next, {sweep.gammas[g + 1]:.4g}, keeps {_outcome(sweep, g + 1, decimals)}.")
    lowest = _most_lost(sweep, slice(0, g))
    if lowest is not None and sweep.kept[lowest] < share:
        sentences.append(
            "Mind that not every smaller gamma does as well: "
            f"{sweep.gammas[lowest]:.4g} keeps {_outcome(sweep, lowest, decimals)}."
        )
    return " ".join(sentences)


def _reason_for_none(sweep: GammaSweep, nearest: int, share: float) -> str:
    decimals = decimals_of_percent(share)
    sentences = [
        f"No gamma of the grid keeps {percent(share, decimals)} of {_events(sweep)} at or above "
        f"{sweep.threshold:g}. The nearest is {sweep.gammas[nearest]:.4g}, which keeps "
        f"{_outcome(sweep, nearest, decimals)}."
    ]
    for side, among in (("smaller", slice(0, nearest)), ("larger", slice(nearest + 1, None))):
        worst = _most_lost(sweep, among)
        if worst is not None and sweep.lost[worst] > sweep.lost[nearest]:
            sentences.append(
                f"A {side} one is no remedy: {sweep.gammas[worst]:.4g} keeps "
                f"{_outcome(sweep, worst, decimals)}."
            )
    return " ".join([*sentences, _remedy(sweep, nearest)])


def _remedy(sweep: GammaSweep, nearest: int) -> str:
    """Say what to try, given what loses most of the events at the nearest gamma."""
    mostly_blur = sweep.lost_to_blur[nearest] > sweep.lost_to_collapse[nearest]
    silence = _silence(sweep, nearest)
    if mostly_blur and nearest == 0:
        return " ".join(["Blur shrinks with gamma: try a grid that begins lower.", *silence])
    if silence:
        return silence[0]
    if not mostly_blur and nearest == len(sweep.gammas) - 1:
        return "Alignments collapse where gamma is small: try a grid that ends higher."
    return (
        "Try a smaller horizontal or a larger vertical step weight: passing several targets within one "
        "frame, which is how alignments collapse, gets dearer."
    )


def _silence(sweep: GammaSweep, g: int) -> list[str]:
    """Say, in one sentence or none, that silent targets draw more than their share where they are free."""
    if not sweep.silent_targets:
        return []
    share, drawn = sweep.silent_targets / sweep.targets, float(sweep.silence_drawn[g])
    if drawn <= share:
        return []
    return [
        "Under this cost a target frame without activity costs nothing: such frames are "
        f"{percent(share)} of the targets, and draw {percent(drawn)} of the alignments. Try bce, under which "
        "silence has its price."
    ]


def _most_lost(sweep: GammaSweep, among: slice) -> int | None:
    """Return the place at which most events are lost, of equals the smallest gamma; None if there is none."""
    at = np.arange(len(sweep.gammas))[among]
    return int(at[np.argmax(sweep.lost[at])]) if len(at) else None


def _outcome(sweep: GammaSweep, g: int, decimals: int) -> str:
    """Say what a gamma keeps, and what it loses the others to."""
    blur, collapse = int(sweep.lost_to_blur[g]), int(sweep.lost_to_collapse[g])
    kept = percent(sweep.kept[g], decimals)
    if blur + collapse == 0:
        return f"{kept} and loses none"
    if collapse == 0:
        return f"{kept} and loses {blur} to blur"
    if blur == 0:
        return f"{kept} and loses {collapse} to collapsed alignments"
    return f"{kept} and loses {blur} to blur and {collapse} to collapsed alignments"


def _events(sweep: GammaSweep) -> str:
    return f"all {sweep.events} events" if sweep.events > 1 else "the one event"
