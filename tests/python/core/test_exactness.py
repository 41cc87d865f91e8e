"""float32 is as exact as its inputs: H and E against float64 on the same float32 costs."""

import numpy as np
import pytest

import warplens as wl

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
