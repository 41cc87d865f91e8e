"""Collapsing repetitions and expanding them again are inverse to each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import warplens as wl

STRONG = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
    st.one_of(st.tuples(st.integers(1, 30)), st.tuples(st.integers(1, 30), st.integers(1, 3))),
    elements=st.integers(0, 1),
)


@given(STRONG)
def test_expand_undoes_collapse(strong):
    weak = wl.collapse_repeats(strong)
    expanded = wl.expand(*weak)
    np.testing.assert_array_equal(expanded, strong)
    assert expanded.dtype == weak.y.dtype == strong.dtype
    assert weak.durations.dtype == np.int64
    assert weak.durations.sum() == len(strong)
    assert weak.durations.min() >= 1
    assert not any(np.array_equal(a, b) for a, b in zip(weak.y[1:], weak.y[:-1], strict=True))


@given(STRONG, st.data())
def test_collapse_undoes_expand(frames, data):
    weak, _ = wl.collapse_repeats(frames)
    durations = data.draw(hnp.arrays(np.int64, len(weak), elements=st.integers(1, 9)))
    again = wl.collapse_repeats(wl.expand(weak, durations))
    np.testing.assert_array_equal(again.y, weak)
    np.testing.assert_array_equal(again.durations, durations)


def test_frames_of_duration_0_vanish():
    np.testing.assert_array_equal(wl.expand([1.0, 2.0, 3.0], [2, 0, 1]), [1, 1, 3])


def test_the_hard_path_of_strong_and_weak_targets_gives_the_durations():
    weak = np.eye(5)
    durations = [3, 1, 4, 1, 5]
    path = wl.hard_dtw(wl.expand(weak, durations), weak)
    assert path.value == 0
    np.testing.assert_array_equal(np.bincount(path.indices[:, 1]), durations)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: wl.collapse_repeats(np.zeros((0, 3))),
            ValueError,
            r"y_strong: is an empty sequence of shape \(0, 3\)",
        ),
        (
            lambda: wl.collapse_repeats(np.zeros((2, 3, 4))),
            ValueError,
            r"y_strong: has shape \(2, 3, 4\); \(frames",
        ),
        (lambda: wl.collapse_repeats([[1], [1, 2]]), ValueError, r"y_strong: .*inhomogeneous"),
        (lambda: wl.expand(np.zeros((2, 3)), [1]), ValueError, r"durations: has shape \(1,\); .* M = 2"),
        (
            lambda: wl.expand(np.zeros((2, 3)), [1.0, 2.0]),
            TypeError,
            r"durations: has dtype float64; whole numbers",
        ),
        (lambda: wl.expand(np.zeros((2, 3)), [1, -2]), ValueError, r"durations: is -2 at index 1; 0 or more"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
