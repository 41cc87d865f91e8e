"""Every cost at the edges of its numbers: nothing cancels, overflows or is lost that float64 would keep."""

import numpy as np
import pytest
from oracles import costs

import warplens as wl

DISTANCES = ("euclidean", "l1")
DTYPES = (np.float32, np.float64)


def tolerance_of(dtype, size=1.0):
    """The rounding of costs of this size beside gamma, and that of the sweeps."""
    return (1e-5 if dtype == np.float32 else 1e-12) + 4 * float(np.finfo(dtype).eps) * float(size)


def assert_same(got, truth, tolerance):
    """Value, soft alignment and gradients, relative to the size of each."""
    for name in ("value", "h", "H", "x_grad", "y_grad"):
        mine, expected = (np.asarray(getattr(each, name), dtype=np.float64) for each in (got, truth))
        assert np.abs(mine - expected).max() <= tolerance * max(1.0, np.abs(expected).max()), name


@pytest.mark.parametrize("cost", DISTANCES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_distance_of_one_feature_is_its_difference(cost, dtype):
    x, y = costs.sample(cost, 70, 45, 1, dtype=dtype)
    C = np.abs(x.astype(np.float64) - y.astype(np.float64).T)
    got, truth = wl.align(x, y, cost=cost, gamma=0.3), wl.align_costs(C, gamma=0.3)
    assert got.value == pytest.approx(truth.value, rel=tolerance_of(dtype))
    np.testing.assert_allclose(got.H, truth.H, rtol=0, atol=tolerance_of(dtype, C.max() / 0.3))
    signs = np.sign(x.astype(np.float64) - y.astype(np.float64).T)
    np.testing.assert_allclose(got.x_grad[:, 0], (truth.H * signs).sum(axis=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("cost", DISTANCES)
@pytest.mark.parametrize("features", [1, 2, 15, 16, 17, 40])
def test_distances_of_large_frames_that_nearly_agree_do_not_cancel(cost, features):
    x, y = (1e6 + np.round(8 * frames) for frames in costs.sample(cost, 50, 61, features))
    truth = wl.align(x, y, cost=cost, gamma=0.7)
    got = wl.align(x.astype(np.float32), y.astype(np.float32), cost=cost, gamma=0.7)
    size = wl.cost_matrix(x, y, cost=cost).max() / 0.7
    assert_same(got, truth, tolerance_of(np.float32, size))


@pytest.mark.parametrize("cost", DISTANCES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_frames_have_no_distance_and_no_gradient(cost, dtype):
    x = np.full((30, 9), 0.1, dtype=dtype)
    alignment = wl.align(x, x[:20], cost=cost)
    assert alignment.value == pytest.approx(wl.align_costs(np.zeros((30, 20)), gamma=1.0).value, rel=1e-6)
    assert not alignment.x_grad.any()
    assert not alignment.y_grad.any()


@pytest.mark.parametrize("cost", ["ce_logits", "bce_logits"])
@pytest.mark.parametrize("size", [1e-4, 1e4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_small_and_large_logits(cost, size, dtype):
    x, y = costs.sample(cost, 40, 33, 18)
    x, y, gamma = (size * x).astype(dtype), y.astype(dtype), max(1.0, size)
    got = wl.align(x, y, cost=cost, gamma=gamma)
    C = costs.matrix(cost, x, y)
    truth = wl.align_costs(C, gamma=gamma)
    tolerance = tolerance_of(dtype, np.abs(C).max() / gamma)
    assert abs(got.value - truth.value) <= tolerance * np.abs(C).max()
    np.testing.assert_allclose(got.H, truth.H, rtol=0, atol=tolerance)
    elementwise = truth.h[:, None] * costs.gradient(cost, x, truth.H_tilde @ y.astype(np.float64))
    np.testing.assert_allclose(got.x_grad, elementwise, rtol=0, atol=tolerance * np.abs(elementwise).max())


def test_a_common_shift_of_logits_changes_nothing():
    x, y = costs.sample("ce_logits", 40, 33, 18)
    x = np.round(64 * x) / 64
    for dtype in DTYPES:
        plain, shifted = (
            wl.align((x + shift).astype(dtype), y.astype(dtype), cost="ce_logits") for shift in (0, 1e4)
        )
        assert_same(shifted, plain, tolerance_of(dtype))


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e18, 1e30])
@pytest.mark.parametrize("dtype", DTYPES)
def test_cosine_knows_no_scale(scale, dtype):
    x, y = costs.sample("cosine", 40, 33, 18)
    plain = wl.align(x.astype(dtype), y.astype(dtype), cost="cosine", gamma=0.1)
    scaled = wl.align((scale * x).astype(dtype), y.astype(dtype), cost="cosine", gamma=0.1)
    tolerance = tolerance_of(dtype, 10)
    assert scaled.value == pytest.approx(plain.value, abs=10 * tolerance)
    np.testing.assert_allclose(scaled.H, plain.H, rtol=0, atol=tolerance)
    np.testing.assert_allclose(scaled.x_grad * dtype(scale), plain.x_grad, rtol=0, atol=10 * tolerance)


@pytest.mark.parametrize("cost", DISTANCES)
@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_distances_keep_their_scale(cost, scale):
    """Squares of these leave float32."""
    x, y = costs.sample(cost, 40, 33, 6)
    plain = wl.align(x.astype(np.float32), y.astype(np.float32), cost=cost, gamma=0.5)
    scaled = [(scale * frames).astype(np.float32) for frames in (x, y)]
    got = wl.align(*scaled, cost=cost, gamma=0.5 * scale)
    assert got.value == pytest.approx(scale * plain.value, rel=1e-5)
    np.testing.assert_allclose(got.H, plain.H, rtol=0, atol=1e-5)
    np.testing.assert_allclose(got.x_grad, plain.x_grad, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cost", costs.COSTS)
def test_feature_weights_beyond_float32_do_not_leave_it(cost):
    """Weights that float32 cannot hold stay what they are."""
    x, y = costs.sample(cost, 12, 9, 3, dtype=np.float32)
    weights = np.array([1e-50, 2e-50, 0.0])
    scale = {"cosine": 1.0, "euclidean": 1e-25}.get(cost, 1e-50)
    settings = {"cost": cost, "gamma": scale, "feature_weights": weights}
    truth = wl.align(x.astype(np.float64), y.astype(np.float64), **settings)
    got = wl.align(x, y, **settings)
    assert got.value == pytest.approx(truth.value, rel=1e-5)
    np.testing.assert_allclose(got.H, truth.H, rtol=0, atol=1e-5)
