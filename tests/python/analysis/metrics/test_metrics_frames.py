"""Frame measures against their definitions, scikit-learn and mir_eval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from warplens.analysis import metrics

levels = hnp.arrays(np.float64, (6, 4), elements=st.sampled_from([0.0, 1.0, 0.5, 0.25]) | st.floats(0, 1))
rolls = hnp.arrays(np.float64, (6, 4), elements=st.sampled_from([0.0, 1.0]))
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def random_rolls(seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    strong = (rng.random((120, 30)) < 0.1).astype(dtype)
    strong[5:20] = 0
    estimate = np.clip(0.7 * strong + 0.4 * rng.random(strong.shape), 0, 1).astype(dtype)
    return np.where(rng.random(strong.shape) < 0.3, 0, estimate), strong


@given(levels, levels, st.floats(0.05, 0.95))
def test_f_measure_counts_hits_and_errors(estimate, strong, threshold):
    hits = false_alarms = misses = 0
    for estimated, wanted in zip((estimate > threshold).flat, (strong > 0.5).flat, strict=True):
        hits += estimated and wanted
        false_alarms += estimated and not wanted
        misses += wanted and not estimated
    expected = 2 * hits / (2 * hits + false_alarms + misses) if hits + false_alarms + misses else 0.0
    assert metrics.frame_f_measure(estimate, strong, threshold=threshold) == pytest.approx(
        expected, abs=1e-15
    )


@given(levels, rolls)
def test_counts_and_average_precision_are_those_of_scikit_learn(estimate, strong):
    sk = pytest.importorskip("sklearn.metrics")
    truth = strong.ravel() > 0.5
    thresholds = (0.25, 0.5, 0.9)
    result = metrics.precision_recall_f(estimate, strong, thresholds)
    for row, threshold in zip(result, thresholds, strict=True):
        guess = estimate.ravel() > threshold
        expected = sk.precision_recall_fscore_support(truth, guess, average="binary", zero_division=0)[:3]
        np.testing.assert_allclose(row, expected, atol=1e-9)
    if truth.any():
        expected = sk.average_precision_score(truth, estimate.ravel())
        assert metrics.average_precision(estimate, strong) == pytest.approx(expected, abs=1e-9)
    else:
        assert np.isnan(metrics.average_precision(estimate, strong))


@dtypes
def test_distances_are_those_of_scikit_learn(dtype):
    sk = pytest.importorskip("sklearn.metrics")
    estimate, strong = random_rolls(0, dtype)
    e, s = estimate.astype(np.float64), strong.astype(np.float64)
    # Differences of float32 levels are made in float32.
    tolerance = {"rel": 1e-9} if dtype == np.float64 else {"rel": 1e-6}
    assert metrics.l1_distance(estimate, strong) == pytest.approx(sk.mean_absolute_error(s, e), **tolerance)
    assert metrics.l2_distance(estimate, strong) == pytest.approx(
        sk.root_mean_squared_error(s.ravel(), e.ravel()), **tolerance
    )
    assert metrics.average_precision(estimate, strong) == pytest.approx(
        sk.average_precision_score(s.ravel() > 0.5, e.ravel()), abs=1e-9
    )
    active = s.any(axis=1)
    cosines = 1 - sk.pairwise.paired_cosine_distances(e[active], s[active])
    assert metrics.cosine_similarity(estimate, strong) == pytest.approx(cosines.mean(), abs=1e-9)
    inside = np.clip(estimate, 0.01, 0.99)  # scikit-learn clips where logs here are clamped
    expected = sk.log_loss(s.ravel(), inside.ravel().astype(np.float64))
    assert metrics.binary_cross_entropy(inside, strong) == pytest.approx(expected, abs=1e-9)


def test_counts_are_those_of_mir_eval():
    multipitch = pytest.importorskip("mir_eval.multipitch")
    estimate, strong = random_rolls(1)
    times, pitches = np.arange(120) / 10, 110 * np.exp2(np.arange(30) / 12)

    def frequencies(roll):
        return [pitches[row > 0.5] for row in roll]

    result = multipitch.metrics(times, frequencies(strong), times, frequencies(estimate))
    precision, recall, _ = metrics.precision_recall_f(estimate, strong)[0]
    assert (precision, recall) == pytest.approx(result[:2], abs=1e-9)


@given(levels, rolls)
def test_cross_entropy_is_the_sum_of_its_cells(estimate, strong):
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(estimate), -100), np.maximum(np.log1p(-estimate), -100)
    expected = -np.mean(strong * logs[0] + (1 - strong) * logs[1])
    assert metrics.binary_cross_entropy(estimate, strong) == pytest.approx(expected, abs=1e-12)


def test_what_agrees_is_best_and_what_is_not_defined_is_not_a_number():
    _, strong = random_rolls(2)
    assert metrics.l1_distance(strong, strong) == metrics.l2_distance(strong, strong) == 0
    assert metrics.binary_cross_entropy(strong, strong) == 0
    assert metrics.cosine_similarity(strong, strong) == pytest.approx(1)
    assert metrics.average_precision(strong, strong) == 1
    np.testing.assert_array_equal(metrics.precision_recall_f(strong, strong), [[1, 1, 1]])
    nothing = np.zeros_like(strong)
    assert np.isnan(metrics.cosine_similarity(strong, nothing))
    assert np.isnan(metrics.average_precision(strong, nothing))
    assert np.isnan(metrics.binary_cross_entropy(strong * 1.1, strong))
    assert metrics.binary_cross_entropy(strong * (1 + 1e-7), strong) == 0


@pytest.mark.parametrize(
    "measure",
    [
        metrics.frame_f_measure,
        metrics.precision_recall_f,
        metrics.average_precision,
        metrics.l1_distance,
        metrics.l2_distance,
        metrics.binary_cross_entropy,
        metrics.cosine_similarity,
    ],
)
def test_shapes_that_differ_are_named(measure):
    with pytest.raises(ValueError, match=r"estimate, strong: shapes \(3, 2\) and \(2, 3\)"):
        measure(np.ones((3, 2)), np.ones((2, 3)))
