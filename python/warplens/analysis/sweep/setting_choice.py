"""The rule by which a setting of a loss with blanks is recommended, and its reason in words.

Every setting but the plain one teaches something else than the probability of the labels, so the rule takes
the one nearest to the plain one that keeps nearly all labels.
"""

from dataclasses import dataclass

import numpy as np

from warplens.analysis.percent import decimals_of_percent, percent
from warplens.analysis.sweep.gamma_choice import SHARE_TO_KEEP, check_share
from warplens.analysis.sweep.setting_sweep import BlankSetting, SettingSweep

_MOST_FRAMES_OF_A_PEAK = 2.0
_LEAST_BLANK_SHARE = 0.5


@dataclass(frozen=True)
class SettingChoice:
    """A recommended setting.

    Attributes:
        setting: of those that keep the wanted share of all labels the nearest to the plain one; None where
            none does.
        nearest: that setting, or without one the one that keeps the largest share; None without labels.
        kept: share of labels that `nearest` keeps; None without labels.
        threshold: level under which a label counts as lost.
        reason: why, in words, and what labels are lost to.
    """

    setting: BlankSetting | None
    nearest: BlankSetting | None
    kept: float | None
    threshold: float
    reason: str

    def as_record(self) -> dict[str, float | str | None]:
        """Return the choice as JSON holds it."""
        chosen = dict.fromkeys(BlankSetting._fields) if self.setting is None else self.setting._asdict()
        return {**chosen, "kept": self.kept, "threshold": self.threshold, "reason": self.reason}


def choose_setting(
    sweep: SettingSweep, *, share: float = SHARE_TO_KEEP, word: str = "label"
) -> SettingChoice:
    """Choose the setting nearest to the plain loss that keeps at least a share of all labels.

    The distance is |log gamma| + |blank penalty| + |prior scale|; of equals the first counts.

    Args:
        sweep: sweep of one item, or of many pooled.
        share: share of all labels, above 0 and at most 1.
        word: what they are called, "label" or "event".

    Raises:
        ValueError: the share is out of range.
    """
    check_share(share)
    if sweep.events == 0:
        return SettingChoice(None, None, None, sweep.threshold, f"The targets hold no {word}s.")
    kept, settings = sweep.kept, sweep.settings
    distances = np.array([setting.distance for setting in settings])
    enough = kept >= share
    candidates = np.flatnonzero(enough if enough.any() else kept == kept.max())
    p = int(candidates[np.argmin(distances[candidates])])
    words = _Words(sweep, share, word)
    reason = words.for_chosen(p) if enough.any() else words.for_none(p)
    chosen = settings[p] if enough.any() else None
    return SettingChoice(chosen, settings[p], float(kept[p]), sweep.threshold, reason)


@dataclass(frozen=True)
class _Words:
    sweep: SettingSweep
    share: float
    word: str

    def for_chosen(self, p: int) -> str:
        setting, plain = self.sweep.settings[p], self._plain()
        wanted = f"at least {self._percent(self.share)} of {self._all()} at or above {self.sweep.threshold:g}"
        if setting.distance == 0:
            return f"The plain loss keeps {wanted}: it keeps {self._outcome(p)}.{self._peaks(p)}"
        sentences = [
            f"{setting.describe().capitalize()} is the nearest to the plain loss that keeps {wanted}: "
            f"it keeps {self._outcome(p)}.{self._peaks(p)}"
        ]
        if plain is not None:
            sentences.append(f"The plain loss keeps {self._outcome(plain)}.{self._peaks(plain)}")
        return " ".join(sentences)

    def for_none(self, p: int) -> str:
        sweep = self.sweep
        sentences = [
            f"No setting of the grid keeps {self._percent(self.share)} of {self._all()} at or above "
            f"{sweep.threshold:g}. The nearest is {sweep.settings[p].describe()}, which keeps "
            f"{self._outcome(p)}.{self._peaks(p)}"
        ]
        to_blanks = int(sweep.lost_to_blanks[p])
        if 2 * to_blanks >= sweep.lost[p]:
            sentences.append("Most are lost to blanks: try a larger blank penalty or prior scale.")
        else:
            sentences.append("Most are lost to blur between labels: try a smaller gamma.")
        return " ".join(sentences)

    def _plain(self) -> int | None:
        return next((p for p, each in enumerate(self.sweep.settings) if each.distance == 0), None)

    def _all(self) -> str:
        count = self.sweep.events
        return f"all {count} {self.word}s" if count > 1 else f"the one {self.word}"

    def _percent(self, share: float) -> str:
        return percent(share, decimals_of_percent(self.share))

    def _outcome(self, p: int) -> str:
        to_blanks, lost = int(self.sweep.lost_to_blanks[p]), int(self.sweep.lost[p])
        kept = self._percent(float(self.sweep.kept[p]))
        ways = [(to_blanks, "to blanks"), (lost - to_blanks, "to blur")]
        told = " and ".join(f"{count} {way}" for count, way in ways if count)
        return f"{kept} and loses {told or 'none'}"

    def _peaks(self, p: int) -> str:
        """Say where labels are peaks between blanks."""
        duration, blank = float(self.sweep.duration[p]), float(self.sweep.blank_share[p])
        if duration >= _MOST_FRAMES_OF_A_PEAK or blank < _LEAST_BLANK_SHARE:
            return ""
        return (
            f" Its {self.word}s are peaks of {duration:.1f} frames in the mean; blanks take "
            f"{percent(blank)} of the frames."
        )
