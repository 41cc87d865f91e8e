"""Quantities built on soft DTW values: the divergence, matrices of values, barycenters."""

import numpy as np
import pytest
from oracles import costs, diagonals

import warplens as wl

SYMMETRIC = ["mse", "sqeuclidean", "cosine", "euclidean", "l1"]
MEANS = ["mse", "sqeuclidean", "bce", "poisson"]


def value(x, y, cost, gamma, weights=(1, 1, 1)):
    return diagonals.soft_dtw(costs.matrix(cost, x, y), gamma, weights).value


@pytest.mark.parametrize("cost", SYMMETRIC)
@pytest.mark.parametrize("gamma", [0.01, 1.0, 50.0])
def test_divergence_is_the_published_formula(cost, gamma):
    """SDTW(x,y) - SDTW(x,x)/2 - SDTW(y,y)/2 (Blondel, Mensch & Vert, AISTATS 2021); lengths differ."""
    x, y = costs.sample(cost, 20, 13, 3)
    formula = value(x, y, cost, gamma) - 0.5 * value(x, x, cost, gamma) - 0.5 * value(y, y, cost, gamma)
    assert wl.divergence(x, y, cost=cost, gamma=gamma) == pytest.approx(formula, rel=1e-9, abs=1e-9 * gamma)
    assert formula > 0
    assert wl.divergence(y, x, cost=cost, gamma=gamma) == pytest.approx(formula, rel=1e-9, abs=1e-9 * gamma)
    assert wl.divergence(x, x.copy(), cost=cost, gamma=gamma) == 0


def test_divergence_of_equal_float32_series_is_0_where_the_value_is_far_below():
    x, _ = costs.sample("mse", 300, 1, 5, dtype=np.float32)
    assert wl.soft_dtw(x, x, gamma=10) < -1000
    assert wl.divergence(x, x, gamma=10) == 0


@pytest.mark.parametrize("cost", costs.COSTS)
def test_cdist_holds_every_pair(cost):
    lengths = (9, 1, 14, 5)
    xs = [costs.sample(cost, length, 1, 3, seed=i)[0] for i, length in enumerate(lengths)]
    ys = [costs.sample(cost, 1, length, 3, seed=i)[1] for i, length in enumerate(lengths[:3])]
    weights = (0.5, 1.5, 1.0)
    values = wl.cdist(xs, ys, cost=cost, gamma=0.5, step_weights=weights)
    assert values.shape == (4, 3)
    assert values.dtype == np.float64
    for i, x in enumerate(xs):
        for j, y in enumerate(ys):
            assert values[i, j] == pytest.approx(value(x, y, cost, 0.5, weights), rel=1e-10, abs=1e-10)


def test_cdist_of_one_list_is_symmetric():
    xs = [costs.sample("mse", length, 1, 3, seed=length)[0] for length in (9, 4, 14)]
    values = wl.cdist(xs)
    np.testing.assert_allclose(values, values.T, rtol=1e-12)
    np.testing.assert_array_equal(values, wl.cdist(xs, xs, threads=1))
    assert wl.cdist([], xs).shape == (0, 3)


def series(cost, count=5):
    return [costs.sample(cost, 1, 10 + 3 * i, 2, seed=i)[1] for i in range(count)]


@pytest.mark.parametrize("cost", MEANS)
@pytest.mark.parametrize(("gamma", "weights"), [(0.0, (1, 1, 1)), (0.5, (1, 1, 1)), (5.0, (0.2, 1, 1.5))])
def test_the_objective_of_a_barycenter_never_rises(cost, gamma, weights):
    xs, shares = series(cost), np.array([1.0, 2.0, 0.5, 0.0, 1.0])
    settings = {"cost": cost, "gamma": gamma, "step_weights": weights}

    def objective(z):
        return float(shares @ [wl.soft_dtw(z, x, **settings) for x in xs]) / shares.sum()

    z = wl.barycenter(xs, shares, max_iterations=1, tolerance=0, **settings)
    history = [objective(z)]
    for _ in range(15):
        z = wl.barycenter(xs, shares, init=z, max_iterations=1, tolerance=0, **settings)
        history.append(objective(z))
    assert np.isfinite(history).all()
    assert (np.diff(history) <= 1e-9 * np.abs(history[:-1])).all()
    assert history[-1] < history[0] or gamma == 0


@pytest.mark.parametrize("cost", ["mse", "sqeuclidean", "poisson"])
def test_a_barycenter_is_a_point_without_slope(cost):
    xs = series(cost, 3)
    z = wl.barycenter(xs, gamma=0.5, cost=cost, tolerance=0, max_iterations=4000)
    slope = np.mean([wl.align(z, x, gamma=0.5, cost=cost).x_grad for x in xs], axis=0)
    np.testing.assert_allclose(slope, 0, atol=1e-4)


@pytest.mark.parametrize("cost", ["mse", "sqeuclidean"])
@pytest.mark.parametrize("s", [1e-4, 1e3])
def test_a_barycenter_follows_the_scale_of_its_series(cost, s):
    """The costs are homogeneous: data times s and gamma times s^2 give z times s, after as many steps."""
    xs = series(cost)
    for gamma in (0.0, 0.1, 5.0):
        z = wl.barycenter(xs, cost=cost, gamma=gamma)
        scaled = wl.barycenter([s * x for x in xs], cost=cost, gamma=s * s * gamma)
        np.testing.assert_allclose(scaled / s, z, rtol=1e-8, atol=1e-8)


def test_the_hard_barycenter_of_equal_series_is_that_series():
    (x,) = series("mse", 1)
    np.testing.assert_allclose(wl.barycenter([x, x, x], gamma=0), x, atol=1e-12)
    np.testing.assert_allclose(wl.barycenter([x, x], gamma=1e-4), x, atol=1e-3)


def test_a_soft_barycenter_of_equal_series_lies_lower_than_the_series():
    """For gamma > 0 the series itself is no minimum: soft alignments blur, and the minimiser follows."""
    (x,) = series("mse", 1)
    z = wl.barycenter([x, x], gamma=2.0)
    assert wl.soft_dtw(z, x, gamma=2.0) < wl.soft_dtw(x, x, gamma=2.0)


def test_shape_start_and_weights_of_a_barycenter():
    xs = series("mse", 3)
    assert wl.barycenter(xs).shape == (13, 2)
    assert wl.barycenter(xs, [0, 0, 1]).shape == (16, 2)
    assert wl.barycenter(xs, length=7).shape == (7, 2)
    assert wl.barycenter(xs, init=np.zeros((5, 2))).shape == (5, 2)
    assert wl.barycenter([x[:, 0] for x in xs]).shape == (13, 1)
    np.testing.assert_allclose(wl.barycenter(xs, [2, 2, 2]), wl.barycenter(xs), rtol=1e-12)
    np.testing.assert_allclose(wl.barycenter(xs, [0, 1, 0]), wl.barycenter(xs[1:2]), atol=1e-9)


X = np.zeros((4, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: wl.divergence(X, X, cost="bce"),
            ValueError,
            r"cost: a divergence needs a symmetric cost \(mse, .*'bce'",
        ),
        (lambda: wl.divergence(X, X[:, :1]), ValueError, r"D = 1"),
        (lambda: wl.cdist([X, X], [X, X * np.nan]), ValueError, r"ys\[1\]: is nan at index \(0, 0\)"),
        (lambda: wl.cdist([X, X[:, :1]], [X]), ValueError, r"ys\[0\]: has D = 2 features .* xs\[1\] has 1"),
        (
            lambda: wl.cdist([X], cost=lambda x, y: x @ y.T),
            TypeError,
            r"cost: is a callable; cdist takes a named cost",
        ),
        (lambda: wl.barycenter([]), ValueError, r"xs: is empty"),
        (lambda: wl.barycenter([X, X[:, :1]]), ValueError, r"xs\[1\]: has D = 1, but xs\[0\] has 2"),
        (lambda: wl.barycenter([X], cost="l1"), ValueError, r"cost: a barycenter takes mse, .*, not 'l1'"),
        (
            lambda: wl.barycenter([X, X], [1]),
            ValueError,
            r"weights: has shape \(1,\); one number for each of 2",
        ),
        (lambda: wl.barycenter([X, X], [1, -1]), ValueError, r"weights: finite numbers, none negative"),
        (lambda: wl.barycenter([X, X], [0, 0]), ValueError, r"weights: .*not all 0"),
        (
            lambda: wl.barycenter([X], length=0),
            ValueError,
            r"length: is 0; a whole number",
        ),
        (
            lambda: wl.barycenter([X], max_iterations=0),
            ValueError,
            r"max_iterations: is 0; a whole number",
        ),
        (lambda: wl.barycenter([X], length=2.5), TypeError, r"length: is 2\.5; a whole number"),
        (
            lambda: wl.barycenter([X[:2], np.zeros((9, 2))], init=X[:2], band=wl.SakoeChiba(2)),
            ValueError,
            r"band: leaves no path between a barycenter of 2 frames and xs\[1\]: .*radius",
        ),
        (lambda: wl.barycenter([X], init=X[:, :1]), ValueError, r"init: has D = 1"),
        (lambda: wl.barycenter([X], tolerance=np.nan), ValueError, r"tolerance: is nan"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_barycenter_stays_within_the_range_of_its_series():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        series = [np.ones((length, 2)) for length in (5, 7, 6)]
        z = wl.barycenter(series, rng.random(3), cost="bce", gamma=0.5)
        assert z.min() >= 0
        assert z.max() <= 1
