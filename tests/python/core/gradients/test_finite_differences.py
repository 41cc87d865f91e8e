"""Gradients against central differences of the value, for everything that the value depends on."""

import numpy as np
import pytest
from oracles import costs, differences

import warplens as wl

WEIGHTS = (0.4, 1.3, 0.8)
F, P = np.array([0.5, 2.0, 1.0]), np.array([1.0, 3.0, 0.2])


def settings_of(cost):
    settings = {"cost": cost, "gamma": 0.6, "step_weights": WEIGHTS, "feature_weights": F}
    return settings | ({"pos_weight": P} if cost in ("bce", "bce_logits") else {})


@pytest.mark.parametrize("cost", costs.COSTS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("band", [None, wl.SakoeChiba(2)])
def test_gradients_for_predictions_and_targets(cost, weighted, band):
    x, y = costs.sample(cost, 7, 5, 3)
    settings = (settings_of(cost) if weighted else {"cost": cost, "gamma": 0.6}) | {"band": band}
    alignment = wl.align(x, y, **settings)
    by_x = differences.gradient(lambda x: wl.soft_dtw(x, y, **settings), x)
    by_y = differences.gradient(lambda y: wl.soft_dtw(x, y, **settings), y)
    np.testing.assert_allclose(alignment.x_grad, by_x, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(alignment.y_grad, by_y, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("cost", costs.COSTS)
def test_gradients_for_gamma_and_step_weights(cost):
    x, y = costs.sample(cost, 9, 6, 3)
    settings = settings_of(cost)
    alignment = wl.align(x, y, **settings)
    by_gamma = differences.gradient(
        lambda gamma: wl.soft_dtw(x, y, **settings | {"gamma": float(gamma)}), 0.6
    )
    by_weights = differences.gradient(lambda w: wl.soft_dtw(x, y, **settings | {"step_weights": w}), WEIGHTS)
    assert alignment.gamma_grad == pytest.approx(float(by_gamma), rel=1e-7)
    np.testing.assert_allclose(alignment.step_weights_grad, by_weights, rtol=1e-7, atol=1e-8)


def test_H_is_the_gradient_for_the_cost_matrix():
    C = np.random.default_rng(0).normal(size=(6, 4))
    by_costs = differences.gradient(lambda C: wl.align_costs(C, gamma=0.6, step_weights=WEIGHTS).value, C)
    np.testing.assert_allclose(
        wl.align_costs(C, gamma=0.6, step_weights=WEIGHTS).H, by_costs, rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("cost", costs.COSTS)
def test_gradients_along_the_hard_path(cost):
    """At gamma = 0 the value is the sum along one path; its gradients hold as long as the path stays."""
    x, y = costs.sample(cost, 7, 5, 3)
    settings = settings_of(cost) | {"gamma": 0.0}
    alignment = wl.align(x, y, **settings)
    np.testing.assert_allclose(
        alignment.x_grad, differences.gradient(lambda x: wl.soft_dtw(x, y, **settings), x, 1e-7), atol=1e-5
    )
    np.testing.assert_allclose(
        alignment.y_grad, differences.gradient(lambda y: wl.soft_dtw(x, y, **settings), y, 1e-7), atol=1e-5
    )
    by_weights = differences.gradient(
        lambda w: wl.soft_dtw(x, y, **settings | {"step_weights": w}), WEIGHTS, 1e-7
    )
    np.testing.assert_allclose(alignment.step_weights_grad, by_weights, atol=1e-5)


def test_a_tiny_entropy_keeps_its_digits():
    """A nearly certain alignment has a tiny entropy, which (value - sum C H) / gamma would lose."""
    costs_of_other_paths = 75.0
    C = np.array([[1.0, 1.0 + costs_of_other_paths], [1.0 + costs_of_other_paths, 1.0]])
    q = 2 * np.exp(-costs_of_other_paths - 1.0)
    entropy = -q * np.log(q / 2) + q
    assert wl.align_costs(C, gamma=1.0).entropy == pytest.approx(entropy, rel=1e-9)
