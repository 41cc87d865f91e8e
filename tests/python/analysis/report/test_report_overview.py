"""The report at a glance agrees with sums over the rows it is made from."""

import json
import math

import numpy as np
import pytest
from analysis.sweep.sweep_curves import curve
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from warplens.analysis.percent import percent
from warplens.analysis.report.gamma_summary import advice, gamma_summaries, headings, headline
from warplens.analysis.report.item_table import item_table_json
from warplens.analysis.report.overview import SHOWN, Overview
from warplens.analysis.sweep.gamma_choice import choose_gamma


def row(item_id, gamma, lost, events=10, **known):
    return {
        "id": item_id, "gamma": gamma, "N": 30, "M": 6, "D": 4, "status": "ok",
        "events": events, "events_below_threshold": lost, **known,
    }  # fmt: skip


def failed(item_id, reason):
    return {"id": item_id, "status": "failed", "error": reason}


ROWS = [
    row("a", 0.1, 1, blur=1.0, f_measure=None),
    row("a", 10.0, 6, blur=4.0, f_measure=0.25),
    failed("b", "no cost"),
    row("c", 0.1, 0, events=30, blur=3.0),
    row("c", 10.0, 3, events=30, blur=8.0, f_measure=0.75),
    row("d", 10.0, 9, events=20, blur=6.0),
    row("e", 0.1, 0, events=0, blur=None),
    row("e", 10.0, 0, events=0, blur=None),
]


def test_items_and_gammas_that_are_missing_are_not_known():
    overview = Overview.of(iter(ROWS))
    assert overview.ids == ["a", "b", "c", "d", "e"]
    assert overview.gammas == [0.1, 10.0]
    assert overview.failed == {1: "no cost"}
    nan = math.nan
    np.testing.assert_array_equal(overview.lost, [[1, nan, 0, nan, 0], [6, nan, 3, 9, 0]])
    np.testing.assert_array_equal(overview.events, [10, 0, 30, 20, 0])
    assert set(overview.measures) == {"blur", "f_measure"}


def test_items_at_risk_come_first():
    overview = Overview.of(ROWS)
    assert overview.at_risk.tolist() == [6, 0, 3, 9, 0]
    assert [overview.ids[i] for i in overview.by_risk()] == ["d", "a", "c", "e"]


def test_pooled_measures_weigh_events_and_items():
    overview = Overview.of(ROWS)
    shown = {each.name: each for each in SHOWN}
    assert overview.pooled(shown["blur"], 0) == pytest.approx((10 * 1 + 30 * 3) / 40)
    assert overview.pooled(shown["blur"], 1) == pytest.approx((10 * 4 + 30 * 8 + 20 * 6) / 60)
    assert overview.pooled(shown["f_measure"], 1) == pytest.approx(0.5)
    assert overview.pooled(shown["f_measure"], 0) is None
    assert overview.pooled(shown["onset_error_ms"], 0) is None


def test_onset_errors_are_means_over_matched_notes_and_say_how_many():
    notes = [(20.0, 30, 40), (50.0, 10, 12), (None, 0, 5)]
    rows = [
        row(f"{i}", 1.0, 0, onset_error_ms=error, matched_notes=matched, strong_notes=strong)
        for i, (error, matched, strong) in enumerate(notes)
    ]
    overview = Overview.of([*rows, row("unjudged", 1.0, 0)])
    (summary,) = gamma_summaries(overview)
    text = dict(zip(headings(overview), summary.measures, strict=True))["onset error (ms)"]
    assert text == f"{(20 * 30 + 50 * 10) / 40:.1f} (40 of 57 notes)"
    (measure,) = json.loads(item_table_json(overview, {}))["measures"]
    assert measure["notes"] == [[[30, 10, 0, None]], [[40, 12, 5, None]]]


@pytest.mark.parametrize(
    ("lost", "loses", "others"),
    [
        ((0, 1, 47), "to lose 47 of 81 events (58.1 %).", " It loses none at γ = 0.1, 1 event at γ = 1."),
        ((3, 1, 3), "to lose 3 of 81 events (3.8 %).", " It loses 3 events at γ = 0.1, 1 event at γ = 1."),
    ],
)
def test_the_headline_says_what_is_lost(lost, loses, others):
    assert headline_of(lost) == f"At γ = 10 this loss teaches the network {loses}{others}"


def test_the_headline_says_that_nothing_is_lost():
    assert headline_of((0, 0, 0)) == "At γ = 0.1, 1, 10 no event is lost."


def headline_of(lost):
    rows = [row("a", gamma, n, events=81) for gamma, n in zip((0.1, 1.0, 10.0), lost, strict=True)]
    return headline(gamma_summaries(Overview.of(rows)))


def test_summaries_count_only_what_was_run():
    low, high = gamma_summaries(Overview.of(ROWS))
    assert (low.lost, low.events) == (1, 40)
    assert (high.lost, high.events) == (18, 60)
    assert len(low.measures) == len(headings(Overview.of(ROWS))) == 2
    assert low.lost_over_items is None


def test_histograms_hold_every_item():
    rows = [row(f"{i:02}", 1.0, i % 11, blur=float(i)) for i in range(40)]
    (summary,) = gamma_summaries(Overview.of(rows))
    assert summary.lost_over_items.path.count("M") == 11
    assert "median" in summary.blur_over_items.words
    middle = np.median(np.arange(40) % 11) / 10
    assert summary.lost_over_items.words.startswith(f"median {percent(middle, lost=True)}, ")
    assert summary.lost_over_items.top == "100 %"
    assert float(summary.blur_over_items.top) >= 39


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ((0, 2, 30), "γ = 1 is the largest of the run that keeps at least 95 %"),
        ((40, 2, 30), "A smaller one is not safer here: γ = 0.1 keeps 60 %"),
        ((30, 20, 20), "No γ of the run keeps 95 % of all events at or above 0.5; the nearest is γ = 10"),
    ],
)
def test_advice_follows_the_rule(lost, words):
    rows = [row("a", gamma, n, events=100) for gamma, n in zip((0.1, 1.0, 10.0), lost, strict=True)]
    assert words in advice(gamma_summaries(Overview.of(rows)), "0.5")


def test_a_gamma_that_keeps_less_than_the_limit_reads_as_less():
    """Of 100,000 events 0.94996 are kept: not 95 %, here as in a sweep."""
    rows = [row("a", gamma, 5004, events=100_000) for gamma in (0.1, 1.0)]
    words = advice(gamma_summaries(Overview.of(rows)), "0.5")
    assert words.startswith("No γ of the run keeps 95 % of all events at or above 0.5;")
    assert "the nearest is γ = 1, which keeps 94.9 %." in words


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_advice_takes_the_gamma_of_a_sweep(lost):
    gammas = [0.1 * 2**g for g in range(len(lost))]
    rows = [row("a", gamma, n, events=40) for gamma, n in zip(gammas, lost, strict=True)]
    words = advice(gamma_summaries(Overview.of(rows)), "0.5")
    choice = choose_gamma(curve(lost, events=40, gammas=gammas))
    assert words.startswith(f"γ = {choice.gamma:g} is" if choice.gamma is not None else "No γ")
    assert f"γ = {choice.nearest:g}" in words
    assert percent(choice.kept) in words


def test_advice_without_events():
    assert "no events" in advice(gamma_summaries(Overview.of([row("a", 1.0, 0, events=0)])), "0.5")


def test_table_in_the_page_is_json_that_cannot_end_its_script():
    rows = [row("</script><b>", 1.0, 1), failed("caf\udce9", "no <weak>")]
    text = item_table_json(Overview.of(rows), {0: "items/x.html"})
    assert "<" not in text
    text.encode()
    table = json.loads(text)
    assert table["ids"] == ["</script><b>", "caf\\udce9"]
    assert table["failed"] == {"1": "no <weak>"}
    assert table["lost"] == [[1, None]]
    assert table["pages"] == {"0": "items/x.html"}


def test_no_rows_at_all():
    overview = Overview.of([])
    assert len(overview) == 0
    assert overview.by_risk() == []
    assert gamma_summaries(overview) == []
    assert Overview.of([failed("x", "y")]).by_risk() == []
