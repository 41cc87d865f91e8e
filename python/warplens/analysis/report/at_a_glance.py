"""What a report says of all items together, and the table of all, which a script in the page draws."""

from collections.abc import Iterator, Mapping
from html import escape

from warplens.analysis.report.addresses import displayed
from warplens.analysis.report.gamma_summary import (
    GammaSummary,
    Histogram,
    advice,
    gamma_summaries,
    headings,
)
from warplens.analysis.report.item_table import item_table_json
from warplens.analysis.report.overview import Overview
from warplens.analysis.report.page import guide

_MOST_FAILURES = 20
_MOST_LINKS = 50
_FEW_ITEMS = 3
"""With no more of them the guide is open."""


def at_a_glance(overview: Overview, threshold: str, pages: Mapping[int, str], *, many: bool) -> str:
    """The head of OUT/report.html.

    Args:
        overview: of all items.
        threshold: level under which an event counts as lost, as it is shown.
        pages: address of an item's part of the report, by its place in `overview.ids`.
        many: whether these are pages of their own.
    """
    summaries = gamma_summaries(overview)
    parts = ["<h1>What this loss teaches</h1>\n"]
    if summaries:
        parts += _together(overview, summaries, threshold)
    else:
        parts.append('<p class="lead">No item could be analysed.</p>\n')
    parts.append(_failures(overview))
    parts.append(guide(threshold, is_open=bool(summaries) and len(overview) <= _FEW_ITEMS))
    if len(overview) > 1 and summaries:
        parts += _items(overview, summaries, threshold, pages, many=many)
    return "".join(parts)


def _together(overview: Overview, summaries: list[GammaSummary], threshold: str) -> Iterator[str]:
    done = len(overview) - len(overview.failed)
    gammas = ", ".join(each.gamma for each in summaries)
    shown = headings(overview)
    by_share = "items, by share of lost events" if summaries[0].lost_over_items is not None else ""
    by_blur = "items, by blur" if summaries[0].blur_over_items is not None else ""
    columns = "".join(f'<th scope="col">{heading}</th>' for heading in (by_share, by_blur, *shown) if heading)
    lines = "".join(_line(each, by_share=bool(by_share), by_blur=bool(by_blur)) for each in summaries)
    yield f"""<p class="lead">
{done} item{"s" * (done != 1)} with {summaries[0].events} events,
aligned by soft DTW at γ = {gammas}.
An <em>event</em> is a run of weak-target frames in which one feature is active: a note of the score.
Where its level stays under {threshold} in every frame of the modified target Y_mod, the loss teaches the
network to lose it.
</p>
<p class="lead advice"><b>Which γ?</b> {escape(advice(summaries, threshold))}</p>
<div class="wide">
<table class="summary">
<caption>All items together</caption>
<thead>
<tr><th scope="col">γ</th><th colspan="2" scope="colgroup">events that stay under {threshold}</th>
{columns}</tr>
</thead>
<tbody>
{lines}</tbody>
</table>
</div>
"""
    if shown:
        yield '<p class="small">Peaks and blur are means over all events, the others over items.</p>\n'


def _line(each: GammaSummary, *, by_share: bool, by_blur: bool) -> str:
    histograms = ""
    if by_share:
        histograms += f"<td>{_histogram(each.lost_over_items, 'share of lost events')}</td>\n"
    if by_blur:
        histograms += f"<td>{_histogram(each.blur_over_items, 'blur in frames')}</td>\n"
    measures = "".join(f"<td>{text}</td>" for text in each.measures)
    percent = 100 * each.share
    return f"""<tr>
<th scope="row">{each.gamma}</th>
<td class="bar" aria-hidden="true"><span style="width:{percent:.2f}%"></span></td>
<td>{each.lost} of {each.events} events ({percent:.1f} %)</td>
{histograms}{measures}
</tr>
"""


def _histogram(drawn: Histogram | None, label: str) -> str:
    if drawn is None:
        return ""
    told = f"{label}: {drawn.words}"
    return f"""
<svg class="histogram" viewBox="0 0 1 1" preserveAspectRatio="none" role="img" aria-label="{told}">\
<title>{told}</title><path d="{drawn.path}"/></svg>
<span class="ends"><span>0</span><span>{drawn.top}</span></span>
"""


def _failures(overview: Overview) -> str:
    if not overview.failed:
        return ""
    count = len(overview.failed)
    first = list(overview.failed.items())[:_MOST_FAILURES]
    listed = "".join(
        f"<dt>{escape(displayed(overview.ids[i]))}</dt><dd>{escape(displayed(why))}</dd>\n"
        for i, why in first
    )
    more = "<p>The others are in the table: show failed items.</p>\n" if count > len(first) else ""
    return f"""<div class="failed">
<h2>Failed: {count} item{"s" * (count != 1)}</h2>
<dl>
{listed}</dl>
{more}</div>
"""


def _items(
    overview: Overview,
    summaries: list[GammaSummary],
    threshold: str,
    pages: Mapping[int, str],
    *,
    many: bool,
) -> Iterator[str]:
    whose = "all items"
    if len(pages) + len(overview.failed) != len(overview):
        whose = (
            f"the {len(pages)} items with the most events at risk: "
            "those with the most lost events at any one γ"
        )
    hidden = " hidden" if len(summaries) == 1 or not headings(overview) else ""
    links = "".join(
        f'<li><a href="{escape(where)}">{escape(displayed(overview.ids[i]))}</a></li>\n'
        for i, where in list(pages.items())[:_MOST_LINKS]
    )
    yield f"""<div class="items" hidden>
<h2>Items</h2>
<p class="tools">
<label>Find <input type="search" placeholder="part of an id" autocomplete="off"></label>
<label>Show <select class="kinds"></select></label>
<label{hidden}>Measures at γ = <select class="gammas"></select></label>
<output></output>
</p>
<div class="wide">
<table class="overview" data-threshold="{threshold}"><thead></thead><tbody></tbody></table>
</div>
<p class="tools pager" hidden><button type="button" data-step="-1">‹ back</button> <span></span> \
<button type="button" data-step="1">next ›</button></p>
"""
    if many:
        yield f'<p class="small">Pages are there for {whose}.</p>\n'
    yield f"""</div>
<noscript>
<p>The table of all items needs JavaScript; <code>items.csv</code> holds the same. \
Items with the most events at risk:</p>
<ul>
{links}</ul>
</noscript>
<script type="application/json" id="item-data">"""
    yield item_table_json(overview, pages)
    yield "</script>\n"
