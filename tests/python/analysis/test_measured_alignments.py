"""One call for many gammas, against an alignment at a time."""

import numpy as np
import pytest
from oracles.measures import diagonal_distance, share_of_collapsed_targets, share_on_empty_targets

import warplens as wl
from warplens.analysis import evaluate, find_events, measure_alignment, summarize_levels
from warplens.analysis.measured_alignments import align_and_measure
from warplens.analysis.metrics import short_long_peaks
from warplens.analysis.metrics.events import event_measures

GAMMAS = [0.0, 0.05, 1.0, 20.0]


def pair(dtype, cost, frames=83, targets=19, features=6):
    rng = np.random.default_rng(frames)
    weak = (rng.random((targets, features)) < 0.3).astype(dtype)
    spread = rng.multinomial(frames - targets, np.full(targets, 1 / targets)) + 1
    x = 0.1 + 0.8 * np.repeat(weak, spread, axis=0) * rng.random((frames, features))
    return (x / x.sum(axis=1, keepdims=True) if cost == "ce" else x).astype(dtype), weak


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cost", ["bce", "mse", "ce"])
@pytest.mark.parametrize("weights", [(1, 1, 1), (0.1, 1, 1), (0, 1, 1), (1, 0, 1), (0, 0, 0)])
def test_all_gammas_at_once_are_each_by_itself(dtype, cost, weights):
    x, y = pair(dtype, cost)
    events = find_events(y)
    result = align_and_measure(
        x,
        y,
        events,
        cost=cost,
        gammas=GAMMAS,
        step_weights=weights,
        threshold=0.4,
        outputs=["h", "y_mod", "H"],
    )
    close = {"rtol": 2e-4, "atol": 2e-5} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-11}
    assert {array.dtype for array in (result.h, result.y_mod, result.H)} == {np.dtype(dtype)}
    for g, gamma in enumerate(GAMMAS):
        alone = wl.align(x, y, cost=cost, gamma=gamma, step_weights=weights)
        measures = evaluate(alone, y, threshold=0.4)
        for name, values in result.measures.items():
            assert values[g] == pytest.approx(measures[name], rel=1e-3, abs=1e-3, nan_ok=True), name
        for name in ("h", "y_mod", "H"):
            np.testing.assert_allclose(getattr(result, name)[g], getattr(alone, name), **close)
        marginals, levels, _ = measure_alignment(alone.H_tilde, y, events, threshold=0.4)
        for name, values in vars(marginals).items():
            np.testing.assert_allclose(getattr(result.marginals, name)[g], values, rtol=1e-3, atol=1e-3)
        for name in ("peak", "duration", "mean_level"):
            np.testing.assert_allclose(
                getattr(result.levels, name)[g], getattr(levels, name), rtol=2e-4, atol=2e-4
            )


@pytest.mark.parametrize("gamma", [0.01, 1.0, 30.0])
def test_measures_of_an_alignment_are_those_of_their_definitions(gamma):
    x, y = pair(np.float64, "bce")
    y[::5] = 0
    alignment, events = wl.align(x, y, cost="bce", gamma=gamma), find_events(y)
    marginals, levels, _ = measure_alignment(alignment.H_tilde, y, events, threshold=0.4)
    peaks = short_long_peaks(levels.duration, levels.peak)
    lost = np.count_nonzero(levels.peak < 0.4)
    blur = (levels.onset_fade + levels.offset_fade) / 2
    expected = {
        "value": alignment.value,
        "entropy": alignment.entropy,
        "entropy_per_frame": marginals.frame_entropy.mean(),
        "h_min": alignment.h.min(),
        "h_mean": alignment.h.mean(),
        "h_max": alignment.h.max(),
        "events": len(events),
        "events_below_threshold": lost,
        "kept": 1 - lost / len(events),
        "peak_mean": levels.peak.mean(),
        "peak_min": levels.peak.min(),
        "short_event_peak": peaks.short,
        "long_event_peak": peaks.long,
        "short_long_ratio": peaks.ratio,
        "expected_duration_mean": levels.duration.mean(),
        "onset_fade_mean": levels.onset_fade.mean(),
        "offset_fade_mean": levels.offset_fade.mean(),
        "widening_mean": levels.widening.mean(),
        "blur": blur.mean(),
        "path_diagonal_distance": diagonal_distance(marginals.path, len(y)),
        "collapse": share_of_collapsed_targets(marginals.masses),
        "empty_share": share_on_empty_targets(marginals.masses, y),
    }
    result = evaluate(alignment, y, threshold=0.4)
    assert list(result)[: len(expected)] == list(expected)
    for name, value in expected.items():
        assert result[name] == pytest.approx(value, rel=1e-12, abs=1e-12), name
    of_events = event_measures(levels, 0.4)
    assert of_events == {name: pytest.approx(expected[name]) for name in of_events}


def test_what_is_not_asked_for_is_not_kept_and_changes_nothing():
    x, y = pair(np.float32, "bce")
    events = find_events(y)
    settings = {"cost": "bce", "gammas": [1.0], "step_weights": (1, 1, 1), "threshold": 0.5}
    bare = align_and_measure(x, y, events, outputs=[], **settings)
    full = align_and_measure(x, y, events, outputs=["h", "y_mod", "H"], **settings)
    assert (bare.h, bare.y_mod, bare.H) == (None, None, None)
    np.testing.assert_array_equal(bare.levels.records, full.levels.records)
    np.testing.assert_array_equal(bare.marginals.masses, full.marginals.masses)


def test_off_the_path_there_is_nothing_and_it_is_not_missed():
    """Where H is 0 is left out; the same numbers come from a matrix in which nothing is."""
    rng = np.random.default_rng(5)
    H = np.exp(-((np.arange(90)[:, None] / 3.0719 - np.arange(30)) ** 2))
    H[H < 1e-3] = 0
    weak = (rng.random((30, 5)) < 0.4).astype(float)
    events = find_events(weak)
    assert (H == 0).mean() > 0.7
    sparse = summarize_levels(H, weak, events, threshold=0.3)
    dense = summarize_levels(np.where(H == 0, 1e-200, H), weak, events, threshold=0.3)
    for name in set(sparse.records.dtype.names) - {"peak_frame"}:  # of a plateau, which rounding chooses
        np.testing.assert_allclose(getattr(sparse, name), getattr(dense, name), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("weight", [1.0, 3.0, 49.0])
def test_what_is_all_of_its_frame_reaches_a_threshold_of_1(weight):
    weak = np.eye(4)
    settings = {"cost": "mse", "gammas": [0.0], "step_weights": (weight,) * 3}
    result = align_and_measure(
        weak.repeat(2, axis=0), weak, find_events(weak), threshold=1.0, outputs=[], **settings
    )
    assert result.levels.peak.tolist() == [[1.0] * 4]
    assert result.measures["events_below_threshold"].tolist() == [0]


def test_what_cannot_be_measured_is_an_error():
    x, y = pair(np.float64, "mse")
    settings = {"gammas": [1.0], "step_weights": (1, 1, 1), "threshold": 0.5, "outputs": []}
    with pytest.raises(ValueError, match="y_mod: cost l1 is not affine in the target"):
        align_and_measure(x, y, find_events(y), cost="l1", **settings)
    with pytest.raises(ValueError, match="their costs 'mse' overflow float64"):
        align_and_measure(x * 1e300, y, find_events(y), cost="mse", **settings)
    with pytest.raises(ValueError, match="gamma: is -1"):
        align_and_measure(x, y, find_events(y), cost="mse", **{**settings, "gammas": [1.0, -1.0]})
    beyond = find_events(np.ones((30, 1)))
    with pytest.raises(ValueError, match=r"event 0 is \[0, 30\)"):
        align_and_measure(x, y, beyond, cost="mse", **settings)
