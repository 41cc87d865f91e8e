"""Events and their levels against their definitions, written out as loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracles.measures import event_levels

import warplens as wl
from warplens.analysis import Events, find_events, measure_alignment, summarize_levels

weak_targets = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 9), st.integers(1, 5)),
    elements=st.sampled_from([0.0, 0.0, 1.0, 0.25, -1.0]),
)


def runs_by_definition(weak):
    result = []
    for d in range(weak.shape[1]):
        m = 0
        while m < len(weak):
            start = m
            while m < len(weak) and weak[m, d] > 0:
                m += 1
            if m > start:
                result.append((start, d, m))
            m += 1
    return sorted(result)


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


def rise_by_definition(e, peak):
    """Frames between 10 % and 90 % of the peak, by np.interp where the level rises for good."""
    reached = next(n for n, level in enumerate(e) if level >= 0.9 * peak)
    if reached == 0:
        return 0.0
    begun = max((n for n in range(reached) if e[n] < 0.1 * peak), default=None)
    low = 0.0
    if begun is not None:
        low = float(np.interp(0.1 * peak, e[begun : begun + 2], [begun, begun + 1]))
    return float(np.interp(0.9 * peak, e[reached - 1 : reached + 1], [reached - 1, reached])) - low


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n_frames", "n_targets", "share"),
    [(50, 30, 0.4), (512, 80, 0.05), (9, 200, 0.9), (5000, 20, 0.3), (1, 4, 0.5)],
)
def test_summary_is_that_of_the_levels(n_frames, n_targets, share, dtype):
    weak = (np.random.default_rng(3).random((n_targets, 6)) < share).astype(dtype)
    weak[:, 5] = 0.5  # one run through all targets
    H = (soft_alignment(n_frames, n_targets) * np.random.default_rng(4).random((n_frames, 1))).astype(dtype)
    rows = H.astype(np.float64) / H.sum(axis=1, dtype=np.float64, keepdims=True)
    events = find_events(weak)
    summary = summarize_levels(H, weak, events, threshold=0.3)
    for k, e in enumerate(event_levels(rows, weak, events)):
        peak, duration = e.max(), rows[:, events.start[k] : events.stop[k]].sum()
        assert summary.peak[k] == pytest.approx(peak, rel=1e-12)
        assert e[summary.peak_frame[k]] == pytest.approx(peak, rel=1e-12)
        assert summary.duration[k] == pytest.approx(duration, rel=1e-12)
        half = np.flatnonzero(e >= peak / 2 * (1 - 1e-12))
        assert (summary.first[k], summary.last[k]) == (half[0], half[-1])
        assert summary.mean_level[k] == pytest.approx(e[half[0] : half[-1] + 1].mean(), rel=1e-12)
        assert summary.onset_fade[k] == pytest.approx(rise_by_definition(e, peak), abs=1e-9)
        assert summary.offset_fade[k] == pytest.approx(rise_by_definition(e[::-1], peak), abs=1e-9)
        assert summary.widening[k] == pytest.approx((e >= 0.3 * peak).sum() - duration, abs=1e-9)


@given(weak_targets, st.integers(0, 2**32 - 1))
def test_features_without_activity_change_nothing(weak, seed):
    H = soft_alignment(12, len(weak), seed)
    silent = np.insert(weak, [0, weak.shape[1]], 0.0, axis=1)
    ours = summarize_levels(H, weak, find_events(weak))
    theirs = summarize_levels(H, silent, find_events(silent))
    for name, values in vars(ours).items():
        np.testing.assert_array_equal(values, getattr(theirs, name), err_msg=name)


@given(weak_targets, st.floats(1e-6, 1e6))
def test_the_scale_of_rows_of_H_means_nothing(weak, scale):
    H = soft_alignment(6, len(weak))
    events = find_events(weak)
    for ours, theirs in zip(
        measure_alignment(H, weak, events)[:2], measure_alignment(H * scale, weak, events)[:2], strict=True
    ):
        for name in ("peak", "duration", "masses", "path", "frame_entropy"):
            if hasattr(ours, name):
                np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-9, atol=1e-9)


def test_marginals_are_the_sums_of_their_definition():
    for n_frames, n_targets in [(1, 1), (7, 3), (60, 41)]:
        H = soft_alignment(n_frames, n_targets)
        H[:, :1] = 0.0 if n_targets > 1 else 1.0
        rows = H / H.sum(axis=1, keepdims=True)
        marginals, *_ = measure_alignment(H, np.ones((n_targets, 1)), Events(*np.zeros((3, 0), np.int64)))
        np.testing.assert_allclose(marginals.masses, rows.sum(axis=0), rtol=1e-13)
        np.testing.assert_allclose(marginals.masses.sum(), n_frames)
        np.testing.assert_allclose(marginals.path, rows @ np.arange(n_targets), rtol=1e-13)
        entropy = [-sum(p * np.log(p) for p in row if p > 0) for row in rows]
        np.testing.assert_allclose(marginals.frame_entropy, entropy, rtol=1e-12, atol=1e-14)


def test_a_target_without_activity_has_no_events():
    weak = np.zeros((4, 3))
    summary = summarize_levels(soft_alignment(5, 4), weak, find_events(weak))
    assert len(find_events(weak)) == len(summary.peak) == 0


def test_a_sharp_alignment_teaches_every_event_in_full():
    weak = np.eye(5)
    alignment = wl.align(np.repeat(weak, 3, axis=0), weak, cost="mse", gamma=0)
    summary = summarize_levels(alignment.H_tilde, weak, find_events(weak))
    np.testing.assert_array_equal(summary.peak, 1.0)
    np.testing.assert_array_equal(summary.mean_level, 1.0)
    np.testing.assert_array_equal(summary.first, 3 * np.arange(5))
    np.testing.assert_array_equal(summary.duration, 3.0)
    np.testing.assert_array_equal(summary.widening, 0.0)
    # From nothing to everything within a frame; at the borders of the piece nothing is seen of it.
    np.testing.assert_allclose(summary.onset_fade, [0, 0.8, 0.8, 0.8, 0.8])
    np.testing.assert_allclose(summary.offset_fade, [0.8, 0.8, 0.8, 0.8, 0])


def test_levels_come_near_those_of_the_hard_path_as_gamma_goes_to_0():
    rng = np.random.default_rng(5)
    weak, x = rng.random((6, 3)), rng.random((25, 3))
    hard = summarize_levels(wl.align(x, weak, gamma=0).H_tilde, weak, find_events(weak))
    soft = summarize_levels(wl.align(x, weak, gamma=1e-5).H_tilde, weak, find_events(weak))
    np.testing.assert_allclose(soft.peak, hard.peak, atol=1e-6)
    np.testing.assert_allclose(soft.duration, hard.duration, atol=1e-6)


def test_shapes_and_events_are_named_when_they_do_not_fit():
    with pytest.raises(ValueError, match=r"weak: shape \(4,\), it must be \(M, D\)"):
        find_events(np.ones(4))
    three = np.ones((3, 2))
    with pytest.raises(ValueError, match=r"H, weak: shapes \(5, 4\) and \(3, 2\)"):
        summarize_levels(soft_alignment(5, 4), three, find_events(three))
    for feature, start, stop in [(2, 0, 1), (0, 0, 5), (0, 2, 2), (-1, 0, 1), (0, -1, 1), (0, 3, 1)]:
        events = Events(*(np.array([number]) for number in (feature, start, stop)))
        with pytest.raises(ValueError, match=r"event 0 is \[-?\d, \d\) of feature -?\d.*M = 3, D = 2"):
            summarize_levels(soft_alignment(5, 3), three, events)
