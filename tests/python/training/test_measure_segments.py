"""Excerpts of eight measures."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from warplens.training import measure_segments

durations = st.lists(st.floats(0.25, 6.0), min_size=1, max_size=60)


@given(durations, st.integers(1, 12))
def test_excerpts_follow_each_other_and_hold_all_measures(lengths, measures):
    times = np.concatenate([[1.5], 1.5 + np.cumsum(lengths)])
    result = measure_segments(times, measures=measures)
    assert result.start[0] == times[0]
    assert result.stop[-1] == times[-1]
    assert np.array_equal(result.start[1:], result.stop[:-1])
    assert np.array_equal(result.first, np.arange(len(result)) * measures)
    assert np.array_equal(result.start, times[result.first])
    whole = measure_segments(times, measures=measures, keep_rest=False)
    assert len(whole) == len(lengths) // measures
    assert np.array_equal(whole.stop, times[whole.first + measures])


@given(durations, st.floats(1.0, 30.0))
def test_long_ones_are_left_out_and_no_others(lengths, longest):
    times = np.concatenate([[0.0], np.cumsum(lengths)])
    everything = measure_segments(times)
    result = measure_segments(times, longest=longest)
    short = everything.stop - everything.start <= longest
    assert np.array_equal(result.first, everything.first[short])
    assert np.array_equal(result.start, everything.start[short])


@given(durations, st.floats(10.0, 100.0))
def test_frames_are_those_whose_time_lies_inside(lengths, fps):
    times = np.concatenate([[0.0], np.cumsum(lengths)])
    result = measure_segments(times, measures=2)
    n_frames = int(times[-1] * fps) + 5
    tolerance = 0.0005  # no frame is shorter than twenty of them
    at = np.arange(n_frames) / fps + tolerance
    for (first, stop), a, b in zip(result.frames(fps, n_frames), result.start, result.stop, strict=True):
        assume(np.abs(at - np.array([[a], [b]])).min() > 1e-8)
        assert np.array_equal(np.flatnonzero((a <= at) & (at < b)), np.arange(first, stop))


@pytest.mark.parametrize("fps", [44100 / 1024, 22050 / 512, 100.0, 10.0])
@pytest.mark.parametrize("decimals", [3, 6, 17])
def test_measures_written_from_frames_keep_their_frames(fps, decimals):
    limits = np.cumsum(np.random.default_rng(1).integers(20, 90, 400))
    cut = measure_segments(np.round(limits / fps, decimals), measures=1)
    assert np.array_equal(cut.frames(fps, limits[-1]), np.stack([limits[:-1], limits[1:]], axis=1))


def test_bad_input_names_what_is_wrong():
    for times in ([1.0], [], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match=r"times: shape"):
            measure_segments(times)
    with pytest.raises(ValueError, match=r"times: entry 2 is 1\.0"):
        measure_segments([0.0, 2.0, 1.0])
    with pytest.raises(ValueError, match=r"times: entry 0 is nan"):
        measure_segments([np.nan, 2.0])
    with pytest.raises(ValueError, match=r"measures: is 0"):
        measure_segments([0.0, 1.0], measures=0)
    with pytest.raises(ValueError, match=r"from measure 8 on, 8\.00 to 9\.00 s, has none of 70 frames"):
        measure_segments(np.arange(10.0)).frames(10.0, 70)
