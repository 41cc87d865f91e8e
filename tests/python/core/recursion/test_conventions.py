"""The conventions of README.md: how numbers of other implementations follow from those of warplens."""

import numpy as np
import pytest
from oracles import costs

import warplens as wl

GAMMA = 0.7


def recursion(C, gamma, horizontal, vertical, diagonal, first):
    """Accumulated costs by the recursion, the first cell charged `first` times its cost."""
    N, M = C.shape
    D = np.full((N + 1, M + 1), np.inf)
    for n in range(N):
        for m in range(M):
            steps = np.array([D[n, m + 1], D[n + 1, m], D[n, m]]) + C[n, m] * np.array(
                [horizontal, vertical, diagonal]
            )
            if (n, m) == (0, 0):
                D[1, 1] = first * C[0, 0]
            else:
                D[n + 1, m + 1] = -gamma * np.logaddexp.reduce(-steps / gamma)
    return D[N, M]


@pytest.fixture
def pair():
    return costs.sample("bce", 12, 7, 4)


def test_squared_distance_without_the_half(pair):
    half, whole = (
        wl.align(*pair, cost="mse", gamma=GAMMA),
        wl.align(*pair, cost="sqeuclidean", gamma=2 * GAMMA),
    )
    assert whole.value == pytest.approx(2 * half.value, rel=1e-12)
    np.testing.assert_allclose(whole.H, half.H, atol=1e-12)
    np.testing.assert_allclose(whole.x_grad, 2 * half.x_grad, atol=1e-12)


@pytest.mark.parametrize("cost", ["mse", "bce", "bce_logits", "ce", "poisson", "l1"])
def test_costs_averaged_over_features(cost):
    x, y = costs.sample(cost, 12, 7, 4)
    averaged = wl.align(x, y, cost=cost, gamma=GAMMA, feature_reduction="mean")
    summed = wl.align(x, y, cost=cost, gamma=4 * GAMMA)
    assert averaged.value == pytest.approx(summed.value / 4, rel=1e-12)
    np.testing.assert_allclose(averaged.H, summed.H, atol=1e-12)
    np.testing.assert_allclose(averaged.x_grad, summed.x_grad / 4, atol=1e-12)


@pytest.mark.parametrize(
    "order", [("vertical", "horizontal", "diagonal"), ("horizontal", "vertical", "diagonal")]
)
def test_order_of_step_weights(pair, order):
    """A list of weights means what its code's order says; by name there is one meaning."""
    their_list = [0.3, 1.4, 0.9]
    named = dict(zip(order, their_list, strict=True))
    truth = recursion(costs.matrix("bce", *pair), GAMMA, **named, first=named["diagonal"])
    assert wl.soft_dtw(*pair, cost="bce", gamma=GAMMA, step_weights=wl.StepWeights(**named)) == pytest.approx(
        truth
    )


def test_positional_weights_are_horizontal_vertical_diagonal():
    assert wl.StepWeights(1, 2, 3) == wl.StepWeights(horizontal=1, vertical=2, diagonal=3) == (1, 2, 3)


def test_horizontal_repeats_the_target():
    """Many predictions against one target walk horizontally, one against many targets vertically."""
    one, many = np.zeros((1, 1)), np.ones((5, 1))
    assert wl.soft_dtw(many, one, cost="l1", step_weights=(0.1, 10, 1)) == pytest.approx(1 + 4 * 0.1)
    assert wl.soft_dtw(one, many, cost="l1", step_weights=(0.1, 10, 1)) == pytest.approx(1 + 4 * 10)


def test_first_cell_charged_once_whatever_the_diagonal_weight(pair):
    """D(1,1) = C(1,1): a constant (1 - w_d) C(1,1) more, and so much more at (1,1) of the alignment."""
    weights = {"horizontal": 0.3, "vertical": 1.4, "diagonal": 2.0}
    C = costs.matrix("bce", *pair)
    ours = wl.align(*pair, cost="bce", gamma=GAMMA, step_weights=wl.StepWeights(**weights))
    theirs = recursion(C, GAMMA, **weights, first=1.0)
    assert theirs == pytest.approx(ours.value + (1 - 2.0) * C[0, 0])
    step = 1e-5
    moved = C.copy()
    moved[0, 0] += step
    assert (recursion(moved, GAMMA, **weights, first=1.0) - theirs) / step == pytest.approx(
        ours.H[0, 0] + (1 - 2.0)
    )
