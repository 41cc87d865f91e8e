"""The measures of one item in words, a line a measure, a column a gamma."""

import math
from dataclasses import dataclass

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.percent import percent


@dataclass(frozen=True)
class MeasureTable:
    """Lines of one kind: name of a measure, and its text at each gamma."""

    caption: str
    lines: list[tuple[str, list[str]]]


_ALIGNMENT = {
    "value": ("value of the loss", ".2f"),
    "entropy": ("path entropy (nats)", ".1f"),
    "entropy_per_frame": ("frame entropy (nats)", ".3f"),
    "h_min": ("h(n), smallest", ".3g"),
    "h_mean": ("h(n), mean", ".3g"),
    "h_max": ("h(n), largest", ".3g"),
    "path_diagonal_distance": ("distance of the path from the diagonal", ".3f"),
    "collapse": ("collapsed target frames (share)", ".3f"),
    "empty_share": ("alignment on empty target frames (share)", ".3f"),
    "blank_share": ("frames on a blank (share)", ".3f"),
    "not_taught": ("frames not taught (share)", ".3f"),
}
_EVENTS = {
    "events_below_threshold": ("events under the threshold", ".0f"),
    "kept": ("events kept", "%"),
    "peak_mean": ("peak, mean", ".3f"),
    "peak_min": ("peak, lowest", ".3f"),
    "short_event_peak": ("peak of the shortest quarter", ".3f"),
    "long_event_peak": ("peak of the longest quarter", ".3f"),
    "short_long_ratio": ("short over long", ".3f"),
    "expected_duration_mean": ("expected duration (frames)", ".2f"),
    "onset_fade_mean": ("onset fade (frames)", ".2f"),
    "offset_fade_mean": ("offset fade (frames)", ".2f"),
    "widening_mean": ("widening (frames)", ".2f"),
    "blur": ("blur: mean of both fades (frames)", ".2f"),
}
_STRONG = {
    "precision": ("precision", ".4f"),
    "recall": ("recall", ".4f"),
    "f_measure": ("F", ".4f"),
    "average_precision": ("average precision", ".4f"),
    "l1": ("L1", ".4f"),
    "l2": ("L2", ".4f"),
    "bce": ("BCE", ".4f"),
    "cosine": ("cosine", ".4f"),
    "onset_error_ms": ("onset error (ms)", ".1f"),
    "offset_error_ms": ("offset error (ms)", ".1f"),
    "note_onset_f": ("note F, onsets", ".4f"),
    "note_f": ("note F, onsets and offsets", ".4f"),
}
_NOT_SHOWN = {"events", "matched_notes", "strong_notes"}
_OF_MATCHED_NOTES = {"onset_error_ms", "offset_error_ms"}


def measure_tables(analysis: ItemAnalysis) -> list[MeasureTable]:
    """Lay out tables of events, alignment and comparison with the strong target; empty ones are left out."""
    named = {*_ALIGNMENT, *_EVENTS, *_STRONG, *_NOT_SHOWN}
    measures = analysis.table.dtype.names or ()
    others = {name: (name.replace("_", " "), ".4g") for name in measures if name not in named}
    word = analysis.loss.target_word
    of_events = {name: (label.replace("event", word), form) for name, (label, form) in _EVENTS.items()}
    tables = [
        MeasureTable(f"{word.capitalize()}s", _lines(analysis, of_events)),
        MeasureTable("Alignment", _lines(analysis, _ALIGNMENT | others)),
        MeasureTable("Y_mod against the strong target", _lines(analysis, _STRONG)),
    ]
    return [table for table in tables if table.lines]


def _lines(analysis: ItemAnalysis, named: dict[str, tuple[str, str]]) -> list[tuple[str, list[str]]]:
    lines = []
    for name, (label, form) in named.items():
        if name not in (analysis.table.dtype.names or ()):
            continue
        values = analysis.measures[name].tolist()
        if all(map(math.isnan, values)):
            continue
        texts = [_text(value, form) for value in values]
        if name in _OF_MATCHED_NOTES:
            counts = zip(
                *(analysis.measures[each].tolist() for each in ("matched_notes", "strong_notes")), strict=True
            )
            texts = [
                text if math.isnan(value) else f"{text} ({of_notes(*count)})"
                for text, value, count in zip(texts, values, counts, strict=True)
            ]
        lines.append((label, texts))
    return lines


def of_notes(matched: float, strong: float) -> str:
    """Say of how many notes of the strong target a mean over matched notes is."""
    return f"{int(matched)} of {int(strong)} notes"


def _text(value: float, form: str) -> str:
    if form == "%" and not math.isnan(value):
        return percent(value)
    # "z": what rounds to zero has no sign.
    return "–" if math.isnan(value) else format(value, f"z{form}").replace("-", "−")
