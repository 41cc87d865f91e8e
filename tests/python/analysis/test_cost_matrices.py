"""The matrices that are drawn are those of the alignment: its oracle, its value."""

import numpy as np
import pytest
from oracles import costs

import warplens as wl
from warplens.analysis.accumulated_costs import accumulated_costs
from warplens.analysis.local_costs import local_costs


@pytest.mark.parametrize("cost", costs.COSTS)
def test_local_costs(cost):
    x, y = costs.sample(cost, 9, 6, 4)
    np.testing.assert_allclose(local_costs(x, y, cost), costs.matrix(cost, x, y), rtol=1e-12, atol=1e-12)


def test_saturated_predictions_are_clamped():
    x, y = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(local_costs(x, y, "bce"), [[200, 0]])
    np.testing.assert_allclose(local_costs(x, y, "ce"), [[100, 0]])


def test_a_zero_vector_has_no_direction():
    np.testing.assert_allclose(local_costs(np.zeros((1, 3)), np.eye(3), "cosine"), [[1, 1, 1]])


@pytest.mark.parametrize("gamma", [0.0, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.1, 1.0, 2.0)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 1), (6, 9), (20, 4)])
def test_every_accumulated_cost_is_the_value_of_its_corner(shape, weights, gamma):
    C = np.random.default_rng(0).random(shape)
    D = accumulated_costs(C, gamma=gamma, step_weights=weights)
    assert D.shape == shape
    for n, m in np.ndindex(shape):
        value = wl.align_costs(C[: n + 1, : m + 1], gamma=gamma, step_weights=weights).value
        assert D[n, m] == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("cost", ["bce", "ce"])
def test_together_they_give_the_value_of_real_data(real_files, cost):
    for file in real_files[:3]:
        with np.load(file) as item:
            x, y = item["predictions"].astype(float), item["weak"].astype(float)
        D = accumulated_costs(local_costs(x, y, cost), gamma=1.0, step_weights=(0.1, 1, 1))
        value = wl.soft_dtw(x, y, cost=cost, gamma=1.0, step_weights=(0.1, 1, 1))
        assert D[-1, -1] == pytest.approx(value, rel=1e-9)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"y: has D = 4 features \(shape \(2, 4\)\), but x has 3"):
        local_costs(np.zeros((2, 3)), np.zeros((2, 4)), "mse")
    with pytest.raises(ValueError, match="cost: unknown cost 'rmse'; accepted are mse"):
        local_costs(np.zeros((2, 3)), np.zeros((2, 3)), "rmse")
    with pytest.raises(ValueError, match=r"C: shape \(0, 3\)"):
        accumulated_costs(np.zeros((0, 3)), gamma=1)
    with pytest.raises(ValueError, match="gamma: is -1"):
        accumulated_costs(np.zeros((1, 3)), gamma=-1)
