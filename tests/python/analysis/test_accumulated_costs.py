"""Accumulated costs against values of alignments."""

import numpy as np
import pytest

import warplens as wl
from warplens.analysis.accumulated_costs import accumulated_costs


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
        D = accumulated_costs(wl.cost_matrix(x, y, cost=cost), gamma=1.0, step_weights=(0.1, 1, 1))
        value = wl.soft_dtw(x, y, cost=cost, gamma=1.0, step_weights=(0.1, 1, 1))
        assert D[-1, -1] == pytest.approx(value, rel=1e-9)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"C: shape \(0, 3\)"):
        accumulated_costs(np.zeros((0, 3)), gamma=1)
    with pytest.raises(ValueError, match="gamma: is -1"):
        accumulated_costs(np.zeros((1, 3)), gamma=-1)
