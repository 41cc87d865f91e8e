"""Variants of weak targets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import warplens as wl
from warplens.training import pad_silence, unfold


@given(st.integers(1, 40), st.integers(0, 300))
def test_unfolding_is_the_published_stretch(n_targets, more):
    n_frames = n_targets + more
    y = np.arange(2.0 * n_targets).reshape(n_targets, 2)
    result = unfold(y, n_frames)
    assert result.shape == (n_frames, 2)
    # A float index may lie a rounding error below the whole number that it is.
    indices = np.floor(np.linspace(0, n_targets, n_frames, endpoint=False) + 1e-9).astype(int)
    assert np.array_equal(result, y[indices])


@given(st.integers(1, 30), st.integers(0, 200))
def test_unfolding_keeps_every_target_about_as_long(n_targets, more):
    n_frames = n_targets + more
    y = np.arange(float(n_targets))[:, None]
    weak, durations = wl.collapse_repeats(unfold(y, n_frames))
    assert np.array_equal(weak, y)
    assert durations.max() - durations.min() <= 1


def test_unfolding_large_sizes_is_exact():
    y = np.arange(2**20, dtype=np.float32)[:, None]
    assert np.array_equal(unfold(y, 3 * 2**20)[:, 0], np.repeat(y[:, 0], 3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_silence_is_added_where_there_is_none(dtype):
    y = np.array([[1, 0], [0, 0], [0, 1]], dtype)
    result = pad_silence(y)
    assert result.dtype == dtype
    assert np.array_equal(result[1:-1], y)
    assert not result[[0, -1]].any()
    assert np.array_equal(pad_silence(result), result)
    assert len(pad_silence(result[:-1])) == len(pad_silence(result[1:])) == len(result)
    weak, _ = wl.collapse_repeats(result)
    assert np.array_equal(weak, result)


def test_silence_alone_stays():
    silence = np.zeros((1, 4))
    assert np.array_equal(pad_silence(silence), silence)


@pytest.mark.parametrize("call", [pad_silence, lambda y: unfold(y, 9)])
@pytest.mark.parametrize("y", [np.zeros(3), np.zeros((0, 3)), np.zeros((1, 2, 3))])
def test_other_shapes_are_refused(call, y):
    with pytest.raises(ValueError, match=r"y: shape .* \(M, D\)"):
        call(y)


def test_fewer_frames_than_targets_are_refused():
    with pytest.raises(ValueError, match=r"n_frames: is 2, less than the M = 3"):
        unfold(np.zeros((3, 1)), 2)
    with pytest.raises(TypeError, match=r"n_frames: is 4\.5"):
        unfold(np.zeros((3, 1)), 4.5)
