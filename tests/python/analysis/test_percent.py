"""Percentages: what is lost never rounds to nothing, and what is kept and what is lost make 100 %."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warplens.analysis.percent import decimals_of_percent, percent, rounded_percent


@given(st.integers(1, 10**9), st.data(), st.integers(0, 4))
def test_kept_and_lost_make_a_hundred_and_neither_hides_an_event(events, data, decimals):
    lost = data.draw(st.integers(0, events))
    kept = rounded_percent((events - lost) / events, decimals)
    assert kept + rounded_percent(lost / events, decimals, lost=True) == pytest.approx(100)
    assert (kept == 100) == (lost == 0)
    assert abs(kept - 100 * (events - lost) / events) <= 10**-decimals + 1e-9


@pytest.mark.parametrize(
    ("share", "lost", "text"),
    [
        (80 / 81, False, "98.7 %"),
        (1 / 81, True, "1.3 %"),
        (0.07, False, "7 %"),
        (0.07, True, "7 %"),
        (1e-12, True, "0.1 %"),
        (1 - 1e-12, False, "99.9 %"),
        (1.0, False, "100 %"),
        (0.0, True, "0 %"),
    ],
)
def test_percentages_are_written_one_way(share, lost, text):
    assert percent(share, lost=lost) == text


def test_what_is_below_a_limit_reads_as_below_it():
    decimals = decimals_of_percent(0.95)
    assert percent(0.94996, decimals) == "94.9 %"
    assert percent(0.95, decimals) == "95 %"
    assert decimals_of_percent(0.99995) == 3
    assert percent(0.99995, 3) == "99.995 %"
