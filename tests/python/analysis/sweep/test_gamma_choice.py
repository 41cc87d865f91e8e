"""The rule on curves made for it: the gamma that it takes, and the reason that it gives."""

import re

import pytest
from analysis.sweep.sweep_curves import curve

from warplens.analysis.percent import percent
from warplens.analysis.sweep.gamma_choice import choose_gamma


@pytest.mark.parametrize(
    ("lost", "share", "gamma", "kept"),
    [
        ((0, 1, 4, 60), 0.95, 1.0, 0.96),
        ((0, 1, 5, 60), 0.95, 1.0, 0.95),  # "at least"
        ((0, 1, 6, 60), 0.95, 0.1, 0.99),
        ((0, 0, 0, 0), 0.95, 10.0, 1.0),
        ((0, 0, 0, 0), 1.0, 10.0, 1.0),
        ((30, 2, 30, 3), 0.95, 10.0, 0.97),  # the largest, whatever lies between
        ((12, 14, 30, 60), 0.5, 1.0, 0.7),
    ],
)
def test_the_largest_gamma_that_keeps_enough(lost, share, gamma, kept):
    choice = choose_gamma(curve(lost), share=share)
    assert (choice.gamma, choice.nearest, choice.kept, choice.threshold) == (gamma, gamma, kept, 0.5)
    assert choice.reason.startswith(
        f"Gamma {gamma:g} is the largest of the grid that keeps at least {100 * share:g} % of all 100 events "
        f"at or above 0.5: it keeps {100 * kept:g} %"
    )


@pytest.mark.parametrize(
    ("lost", "nearest"),
    [((40, 6, 20, 30), 0.1), ((6, 7, 8, 9), 0.01), ((9, 8, 7, 6), 10.0), ((7, 6, 6, 8), 1.0)],
)
def test_where_none_keeps_enough_the_nearest_is_named(lost, nearest):
    choice = choose_gamma(curve(lost))
    assert choice.gamma is None
    assert (choice.nearest, choice.kept) == (nearest, 0.94)
    assert f"The nearest is {nearest:g}, which keeps 94 % and loses 6 " in choice.reason


def test_the_reason_says_what_events_are_lost_to():
    nearest = [
        choose_gamma(curve((20, 6, 30, 40), (20, collapsed, 0, 0))).reason.split(". ")[1]
        for collapsed in (0, 2, 6)
    ]
    assert nearest == [
        "The nearest is 0.1, which keeps 94 % and loses 6 to blur",
        "The nearest is 0.1, which keeps 94 % and loses 4 to blur and 2 to collapsed alignments",
        "The nearest is 0.1, which keeps 94 % and loses 6 to collapsed alignments",
    ]


def test_the_reason_says_why_neither_side_is_better():
    reason = choose_gamma(curve((20, 6, 30, 40), (19, 0, 0, 0))).reason
    assert "A smaller one is no remedy: 0.01 keeps 80 % and loses 1 to blur and 19 to collapsed" in reason
    assert "A larger one is no remedy: 10 keeps 60 % and loses 40 to blur." in reason
    assert "step weight" in reason


def test_at_an_end_of_the_grid_the_reason_sends_beyond_it():
    assert choose_gamma(curve((6, 7, 8, 9))).reason.endswith("try a grid that begins lower.")
    low = choose_gamma(curve((9, 8, 7, 6), (9, 8, 7, 6))).reason
    assert low.endswith("try a grid that ends higher.")
    # Not where the other cause is at work: blur does not shrink upwards, nor collapse downwards.
    assert "step weight" in choose_gamma(curve((6, 7, 8, 9), (6, 0, 0, 0))).reason
    assert "step weight" in choose_gamma(curve((9, 8, 7, 6), (9, 8, 0, 0))).reason
    assert "larger ones were not tried" in choose_gamma(curve((0, 0, 0, 0))).reason
    assert "were not tried" not in choose_gamma(curve((0, 0, 0, 90))).reason


def test_a_curve_that_is_not_monotone_gets_a_caution():
    caution = "Mind that not every smaller gamma does as well: 0.01 keeps 70 % and loses 30 to collapsed"
    assert caution in choose_gamma(curve((30, 14, 3, 60), (30, 9, 0, 0))).reason
    assert "Mind" not in choose_gamma(curve((0, 2, 3, 60))).reason
    assert "Mind" not in choose_gamma(curve((4, 2, 3, 60))).reason  # still enough


def test_the_next_larger_gamma_is_told():
    assert "The next, 10, keeps 40 % and loses 60 to blur." in choose_gamma(curve((0, 0, 3, 60))).reason


def test_one_gamma_and_one_event():
    choice = choose_gamma(curve((1,), (1,), events=1, gammas=(0.1,)))
    assert (choice.gamma, choice.kept) == (None, 0.0)
    assert "of the one event" in choice.reason
    assert choose_gamma(curve((0,), events=1, gammas=(0.1,))).gamma == 0.1


def test_without_events_nothing_is_recommended():
    choice = choose_gamma(curve((0, 0, 0, 0), events=0))
    assert (choice.gamma, choice.nearest, choice.kept) == (None, None, None)
    assert choice.reason == "The targets hold no events."


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan"), float("inf")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match=r"share: .*above 0 and at most 1"):
        choose_gamma(curve((0, 0, 0, 0)), share=share)


@pytest.mark.parametrize(
    ("share", "lost", "limit", "told"),
    [
        (0.95, 5004, "95 %", "94.9 %"),  # 0.94996
        (0.95, 5001, "95 %", "94.9 %"),
        (0.9999, 11, "99.99 %", "99.98 %"),
        (1.0, 1, "100 %", "99.9 %"),
        (0.07, 93001, "7 %", "6.9 %"),
    ],
)
def test_what_keeps_less_than_the_limit_reads_as_less(share, lost, limit, told):
    choice = choose_gamma(curve((lost,) * 4, events=100_000), share=share)
    assert choice.gamma is None
    assert f"No gamma of the grid keeps {limit} of all 100000 events" in choice.reason
    assert f"The nearest is 10, which keeps {told} and loses" in choice.reason


@pytest.mark.parametrize(("share", "lost"), [(0.95, 5000), (0.9999, 10), (0.07, 93000), (1 / 3, 66666)])
def test_what_keeps_as_much_as_the_limit_reads_as_no_less(share, lost):
    choice = choose_gamma(curve((lost,) * 4, events=100_000), share=share)
    assert choice.gamma == 10
    limit, kept = re.findall(r"keeps (?:at least )?([\d.]+) %", choice.reason)[:2]
    assert float(kept) >= float(limit)


def test_a_share_is_never_rounded_up():
    assert [percent(share) for share in (1.0, 0.9999, 0.95, 0.9499, 19 / 20, 0.931, 0.0)] == [
        "100 %",
        "99.9 %",
        "95 %",
        "94.9 %",
        "95 %",
        "93.1 %",
        "0 %",
    ]
