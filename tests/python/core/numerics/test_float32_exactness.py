"""float32 is as exact as its inputs: H and E against float64 on the same float32 costs."""

import numpy as np
import pytest

import warplens as wl
from warplens import _core

SHAPES = [(7, 2000), (2000, 7), (300, 300), (861, 100), (513, 631)]
WEIGHTS = [(1, 1, 1), (0.1, 1, 1)]
GAMMAS = [0.01, 0.1, 1.0, 10.0, 100.0]
SCALES = [1e-3, 1.0, 1e2, 1e5]


def costs_of(kind: str, shape: tuple[int, int], scale: float) -> np.ndarray:
    rng = np.random.default_rng(sum(shape))
    n, m = shape
    if kind == "exponential":
        costs = rng.exponential(size=shape)
    elif kind == "binary":  # ties everywhere
        costs = (rng.random(shape) < 0.3) * 1.0
    else:  # a valley along the diagonal
        distance = np.linspace(0, 1, n)[:, None] - np.linspace(0, 1, m)[None]
        costs = 4 * distance**2 + 0.01 * rng.random(shape)
    return (costs * scale).astype(np.float32)


@pytest.mark.parametrize("kind", ["exponential", "binary", "valley"])
@pytest.mark.parametrize("shape", SHAPES)
def test_h_and_e_agree_with_float64(kind, shape):
    for scale in SCALES:
        costs = costs_of(kind, shape, scale)
        for weights in WEIGHTS:
            for gamma in GAMMAS:
                got = wl.align_costs(costs, gamma=gamma, step_weights=weights)
                truth = wl.align_costs(costs.astype(np.float64), gamma=gamma, step_weights=weights)
                what = f"scale {scale}, weights {weights}, gamma {gamma}"
                assert got.H.dtype == np.float32
                assert np.abs(got.H - truth.H).max() <= 1e-5, what
                assert abs(got.E[0, 0] - 1) <= 1e-5, what


@pytest.mark.parametrize(("gamma", "at_most"), [(0.01, 1e-2), (0.1, 1e-3), (1.0, 1e-4), (10.0, 1e-5)])
def test_the_gradient_agrees_with_float64(gamma, at_most):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(512, 64)).astype(np.float32)
    y = rng.normal(size=(512, 64)).astype(np.float32)
    got = wl.align(x, y, cost="sqeuclidean", gamma=gamma).x_grad
    truth = wl.align(x.astype(np.float64), y.astype(np.float64), cost="sqeuclidean", gamma=gamma).x_grad
    assert np.linalg.norm(got - truth) <= at_most * np.linalg.norm(truth)


def test_two_thousand_by_two_thousand():
    costs = costs_of("exponential", (2000, 2000), 1.0)
    for gamma, weights in [(0.01, (0.1, 1, 1)), (1.0, (1, 1, 1))]:
        got = wl.align_costs(costs, gamma=gamma, step_weights=weights)
        truth = wl.align_costs(costs.astype(np.float64), gamma=gamma, step_weights=weights)
        assert np.abs(got.H - truth.H).max() <= 1e-5
        assert abs(got.E[0, 0] - 1) <= 1e-5


def test_saturated_predictions_keep_their_gradient():
    """At x = y = 1, h and H W are the same sum: what is left of the two is rounding, and 1/(1-x) is 1e12."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.05, 0.95, (200, 20))
    x[:, 0], x[:, 1] = 1, 0
    y = (rng.random((40, 20)) < 0.3) * 1.0
    y[:, 0], y[:, 1] = 1, 0
    got = wl.align(x.astype(np.float32), y.astype(np.float32), cost="bce").x_grad
    truth = wl.align(x.astype(np.float32).astype(np.float64), y, cost="bce").x_grad
    np.testing.assert_allclose(got, truth, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("features", [1, 3, 8])
@pytest.mark.parametrize("gamma", [0.01, 0.1, 1.0])
def test_large_values_that_nearly_agree_do_not_cancel(features, gamma):
    rng = np.random.default_rng(1)
    ramp = np.linspace(0, 1000, 400)[:, None] + 100 * np.arange(features)
    x = (ramp + 0.1 * rng.normal(size=ramp.shape)).astype(np.float32)
    y = (ramp[::2] + 0.1 * rng.normal(size=ramp[::2].shape)).astype(np.float32)
    got = wl.align(x, y, gamma=gamma)
    truth = wl.align(x.astype(np.float64), y.astype(np.float64), gamma=gamma)
    assert np.abs(got.H - truth.H).max() <= 1e-4
    assert np.linalg.norm(got.x_grad - truth.x_grad) <= 1e-3 * np.linalg.norm(truth.x_grad)


@pytest.mark.parametrize("gamma", [0.0, 1e-300, 1e-17, 1e-39, 1.0])
def test_a_nan_is_found_at_any_gamma(gamma):
    costs = np.full((1, 4, 4), 100.0)
    costs[0, 1, 2] = np.nan
    for dtype in (np.float32, np.float64):
        results = _core.costs_padded(
            costs.astype(dtype),
            x_lengths=None,
            y_lengths=None,
            gamma=gamma,
            step_weights=(1.0, 1.0, 1.0),
            band=None,
            outputs=["H"],
            threads=1,
        )
        assert np.isnan(results["value"]).all()
        assert np.isnan(results["H"]).all()


def test_costs_of_zero_at_tiny_gamma():
    zeros = np.zeros((5, 3), dtype=np.float32)
    for gamma in (1e-39, 1e-30, 1e-3):
        paths = wl.align(zeros, zeros, gamma=gamma).entropy  # all alike: log of their number
        assert wl.align(zeros, zeros, gamma=gamma).value == pytest.approx(-gamma * paths, rel=1e-5)
