"""All pairs of two lists, by one call: each as if alone, one half of a symmetric matrix, any threads."""

import numpy as np
import pytest
from oracles import costs

import warplens as wl

LENGTHS = (9, 1, 14, 5, 70, 23)


def series(cost, lengths=LENGTHS, d=3, side=0):
    return [costs.sample(cost, length, length, d, seed=i)[side] for i, length in enumerate(lengths)]


@pytest.mark.parametrize("cost", costs.COSTS)
@pytest.mark.parametrize("weights", [(1, 1, 1), (0.1, 1, 1)])
@pytest.mark.parametrize("d", [1, 6])
def test_every_entry_is_that_of_align(cost, weights, d):
    xs, ys = series(cost, d=d), series(cost, LENGTHS[:4], d=d, side=1)
    settings = {"cost": cost, "gamma": 0.3, "step_weights": weights}
    values = wl.cdist(xs, ys, **settings)
    expected = [[wl.align(x, y, **settings).value for y in ys] for x in xs]
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cost", ["mse", "sqeuclidean", "cosine", "euclidean", "l1"])
@pytest.mark.parametrize("weights", [(1, 1, 1), (0.5, 0.5, 2.0), (0.1, 1, 1)])
@pytest.mark.parametrize("band", [None, wl.SakoeChiba(70), wl.Itakura(100.0)])
@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_one_list_with_itself_is_two_equal_lists(cost, weights, band, gamma):
    """Transposition swaps w_h and w_v, so only equal weights make the matrix its own transpose."""
    xs = series(cost)
    settings = {"cost": cost, "gamma": gamma, "step_weights": weights, "band": band}
    values = wl.cdist(xs, **settings)
    np.testing.assert_allclose(
        values, wl.cdist(xs, [x.copy() for x in xs], **settings), rtol=1e-12, atol=1e-12
    )
    is_symmetric = np.allclose(values, values.T, rtol=1e-12, atol=1e-12)
    assert is_symmetric == (weights[0] == weights[1])


@pytest.mark.parametrize("ys", [None, series("mse", (40, 3, 8), side=1)])
def test_threads_change_no_bit(ys):
    xs = series("mse", (30, 80, 2, 55, 41, 7, 60) * 3)
    one = wl.cdist(xs, ys, threads=1)
    for threads in (2, 3, None):
        np.testing.assert_array_equal(wl.cdist(xs, ys, threads=threads), one)


def test_weights_of_features_count():
    xs, weights = series("bce"), np.array([1.0, 0.5, 2.0])
    settings = {
        "cost": "bce",
        "feature_weights": weights,
        "pos_weight": weights[::-1],
        "feature_reduction": "mean",
    }
    values = wl.cdist(xs, **settings)
    for i, x in enumerate(xs):
        for j, y in enumerate(xs):
            assert values[i, j] == pytest.approx(wl.soft_dtw(x, y, **settings), rel=1e-12)


def test_dtypes_and_shapes_of_series_may_differ():
    xs = [np.arange(5), np.arange(7.0, dtype=np.float32)[::2], [[1.0], [2.0]]]
    values = wl.cdist(xs)
    assert values[0, 1] == pytest.approx(wl.soft_dtw(xs[0], xs[1], dtype=np.float64), rel=1e-12)
    assert wl.cdist([]).shape == (0, 0)
    assert wl.cdist(xs, []).shape == (3, 0)


def test_the_divergence_of_large_series_is_that_of_its_values():
    generator = np.random.default_rng(0)
    x, y = generator.random((1500, 2)), generator.random((300, 2))
    expected = wl.soft_dtw(x, y) - 0.5 * (wl.soft_dtw(x, x) + wl.soft_dtw(y, y))
    assert wl.divergence(x, y, threads=1) == wl.divergence(x, y, threads=2) == expected


X = np.zeros((4, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: wl.cdist([X, X + 1e200]), ValueError, r"their costs 'mse' overflow float64"),
        (lambda: wl.divergence(X, X + 1e200), ValueError, r"their costs 'mse' overflow float64"),
        (lambda: wl.cdist([X + 0.5, X + 2], cost="bce"), ValueError, r"xs\[1\]: is 2\.0 at index \(0, 0\)"),
        (lambda: wl.cdist([X], [X, X - 1], cost="bce"), ValueError, r"ys\[1\]: is -1\.0 at index \(0, 0\)"),
        (lambda: wl.cdist([X, X[:1]], [X, X[:2]], band=wl.SakoeChiba(0)), wl.NoPathError, r"N=4, M=2"),
        (lambda: wl.divergence(X, X[:2], band=wl.SakoeChiba(0)), wl.NoPathError, r"N=4, M=2"),
        (lambda: wl.cdist([X], feature_weights=[1.0]), ValueError, r"feature_weights: has shape \(1,\)"),
        (lambda: wl.cdist([X], threads=0), ValueError, r"threads: is 0"),
        (lambda: wl.barycenter([X, X + 2], cost="bce"), ValueError, r"xs\[1\]: is 2\.0 at index \(0, 0\)"),
        (lambda: wl.barycenter([X], init=X + 2, cost="bce"), ValueError, r"init: is 2\.0 at index \(0, 0\)"),
        (lambda: wl.barycenter([X, X + 1e200]), ValueError, r"their costs 'mse' overflow float64"),
    ],
)
def test_bad_input(call, error, message):
    with np.errstate(over="ignore"), pytest.raises(error, match=message):
        call()
