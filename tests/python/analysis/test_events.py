"""Events and their levels against their definitions, written out as loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import warplens as wl
from warplens.analysis import events as events_module
from warplens.analysis import find_events, summarize_levels
from warplens.analysis.events import event_levels

weak_targets = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 9), st.integers(1, 5)),
    elements=st.sampled_from([0.0, 0.0, 1.0, 0.25, -1.0]),
)


def runs_by_definition(weak):
    found = []
    for d in range(weak.shape[1]):
        m = 0
        while m < len(weak):
            start = m
            while m < len(weak) and weak[m, d] > 0:
                m += 1
            if m > start:
                found.append((start, d, m))
            m += 1
    return sorted(found)


def soft_alignment(n_frames, n_targets, seed=0):
    rows = np.random.default_rng(seed).random((n_frames, n_targets)) ** 4
    return rows / rows.sum(axis=1, keepdims=True)


@given(weak_targets)
def test_events_are_the_maximal_runs_of_activity(weak):
    events = find_events(weak)
    assert list(zip(events.start, events.feature, events.stop, strict=True)) == runs_by_definition(weak)


@given(weak_targets)
def test_levels_are_the_sums_of_their_definition(weak):
    H_tilde = soft_alignment(7, len(weak))
    events = find_events(weak)
    levels = event_levels(H_tilde, weak, events)
    assert levels.shape == (len(events), 7)
    for k in range(len(events)):
        a, b, d = events.start[k], events.stop[k], events.feature[k]
        expected = [sum(H_tilde[n, m] * weak[m, d] for m in range(a, b)) for n in range(7)]
        np.testing.assert_allclose(levels[k], expected, rtol=1e-13, atol=1e-15)


@given(hnp.arrays(np.float64, (8, 4), elements=st.sampled_from([0.0, 1.0, 0.5])))
def test_events_of_a_feature_add_up_to_the_modified_target(weak):
    H_tilde = soft_alignment(11, 8)
    events = find_events(weak)
    added = np.zeros((11, 4))
    np.add.at(added.T, events.feature, event_levels(H_tilde, weak, events))
    np.testing.assert_allclose(added, H_tilde @ weak, atol=1e-14)


@pytest.mark.parametrize("block_values", [1, 40, 1 << 22])
def test_summary_is_that_of_the_levels_whatever_the_block(monkeypatch, block_values):
    monkeypatch.setattr(events_module, "_BLOCK_VALUES", block_values)
    weak = (np.random.default_rng(3).random((30, 6)) < 0.4).astype(np.float32)
    H_tilde = soft_alignment(50, 30).astype(np.float32)
    events = find_events(weak)
    summary = summarize_levels(H_tilde, weak, events)
    for k in range(len(events)):
        run = slice(events.start[k], events.stop[k])
        level = H_tilde[:, run].astype(np.float64).sum(axis=1)
        assert summary.peak[k] == pytest.approx(level.max(), rel=1e-12)
        assert level[summary.peak_frame[k]] == pytest.approx(level.max(), rel=1e-12)
        half = np.flatnonzero(level >= level.max() / 2 * (1 - 1e-12))
        assert (summary.first[k], summary.last[k]) == (half[0], half[-1])


def test_a_target_without_activity_has_no_events():
    weak = np.zeros((4, 3))
    summary = summarize_levels(soft_alignment(5, 4), weak, find_events(weak))
    assert len(find_events(weak)) == len(summary.peak) == 0


def test_a_sharp_alignment_teaches_every_event_in_full():
    weak = np.eye(5)
    alignment = wl.align(np.repeat(weak, 3, axis=0), weak, cost="mse", gamma=0)
    summary = summarize_levels(alignment.H_tilde, weak, find_events(weak))
    np.testing.assert_array_equal(summary.peak, 1.0)
    np.testing.assert_array_equal(summary.first, 3 * np.arange(5))


def test_shapes_are_named_when_they_do_not_fit():
    with pytest.raises(ValueError, match=r"weak: shape \(4,\), it must be \(M, D\)"):
        find_events(np.ones(4))
    with pytest.raises(ValueError, match=r"H_tilde, weak: shapes \(5, 4\) and \(3, 2\)"):
        event_levels(soft_alignment(5, 4), np.ones((3, 2)), find_events(np.ones((3, 2))))
