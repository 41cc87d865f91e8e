"""Laws of ticks: they stand where their labels say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warplens.analysis.ticks import feature_ticks, frame_ticks, note_name, round_steps


@pytest.mark.parametrize(("pitch", "name"), [(21, "A0"), (60, "C4"), (61, "C♯4"), (69, "A4"), (108, "C8")])
def test_note_names(pitch, name):
    assert note_name(pitch) == name


@given(st.floats(1e-3, 1e6), st.integers(1, 20))
def test_steps_are_round_and_the_smallest_that_do(span, at_most):
    step = round_steps(span, at_most)
    assert span / step <= at_most * (1 + 1e-9)
    assert float(f"{step:.0e}") == pytest.approx(step)
    assert f"{step:.0e}"[0] in "125"
    smaller = step / 2.5 if f"{step:.0e}"[0] == "5" else step / 2
    assert span / smaller > at_most * (1 - 1e-9)


@given(st.integers(1, 100_000), st.one_of(st.none(), st.floats(1, 200)))
def test_frame_ticks_stand_where_they_say(n_frames, fps):
    ticks = frame_ticks(n_frames, fps)
    span = n_frames / fps if fps else n_frames
    assert ticks[0] == (0, ticks[0].label)
    assert len(ticks) <= 9
    assert len({tick.label for tick in ticks}) == len(ticks)
    for tick in ticks:
        assert 0 <= tick.position <= 100 + 1e-6
        assert float(tick.label) == pytest.approx(tick.position / 100 * span, abs=span * 1e-5)


def test_feature_ticks_are_notes_where_the_pitch_is_known():
    assert [tick.label for tick in feature_ticks(0, 87, 21)] == [f"C{octave}" for octave in range(1, 9)]
    low_c = feature_ticks(0, 87, 21)[0]
    assert low_c.position == pytest.approx(100 * 3.5 / 88, abs=1e-3)
    assert len(feature_ticks(0, 11, 60)) == 12
    assert [tick.label for tick in feature_ticks(2, 5, None)] == ["2", "3", "4", "5"]
    assert 2 <= len(feature_ticks(0, 99, None)) <= 9
