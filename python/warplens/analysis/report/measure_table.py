"""The measures of one item in words, a line a measure, a column a gamma."""

import math

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.metrics import MEASURES

_ALIGNMENT = {
    "value": ("value of the loss", ".2f"),
    "entropy": ("entropy (nats)", ".1f"),
    "entropy_per_frame": ("entropy per frame (nats)", ".3f"),
    "h_min": ("h(n), smallest", ".3g"),
    "h_mean": ("h(n), mean", ".3g"),
    "h_max": ("h(n), largest", ".3g"),
    "path_diagonal_distance": ("distance of the path from the diagonal", ".3f"),
    "collapse": ("collapsed target frames (share)", ".3f"),
    "empty_share": ("alignment on empty target frames (share)", ".3f"),
}
_EVENTS = {
    "events_below_threshold": ("events under the threshold", ".0f"),
    "kept": ("share of events kept", ".3f"),
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
_NOT_SHOWN = {"events"}


def measure_tables(analysis: ItemAnalysis) -> str:
    """The tables that have anything to say: events, alignment, comparison with the strong target."""
    named = {*_ALIGNMENT, *_EVENTS, *_STRONG, *_NOT_SHOWN}
    others = {name: (name.replace("_", " "), ".4g") for name in MEASURES if name not in named}
    gammas = "".join([f'<th scope="col">{gamma:g}</th>' for gamma in analysis.gammas])
    tables = [
        f"""<div class="wide">
<table>
<caption>{caption}</caption>
<thead><tr><th scope="col">at γ =</th>{gammas}</tr></thead>
<tbody>
{lines}</tbody>
</table>
</div>
"""
        for caption, lines in (
            ("Events", _lines(analysis, _EVENTS)),
            ("Alignment", _lines(analysis, _ALIGNMENT | others)),
            ("Y_mod against the strong target", _lines(analysis, _STRONG)),
        )
        if lines
    ]
    return f'<div class="measures">\n{"".join(tables)}</div>\n'


def _lines(analysis: ItemAnalysis, named: dict[str, tuple[str, str]]) -> str:
    """A line for each measure that is known, its value at each gamma."""
    lines = []
    for name, (label, form) in named.items():
        values = analysis.measures[name].tolist()
        if not all(map(math.isnan, values)):
            cells = "".join([f"<td>{_text(value, form)}</td>" for value in values])
            lines.append(f'<tr><th scope="row">{label}</th>{cells}</tr>\n')
    return "".join(lines)


def _text(value: float, form: str) -> str:
    # "z": what rounds to zero has no sign.
    return "–" if math.isnan(value) else format(value, f"z{form}").replace("-", "−")
