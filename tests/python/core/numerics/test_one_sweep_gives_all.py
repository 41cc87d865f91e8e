"""Everything from one sweep, as the package's analyses take it, against the sweeps made one by one."""

import numpy as np
import pytest

import warplens as wl
from warplens._align import align_in_full


def probabilities(shape, seed, dtype):
    return np.random.default_rng(seed).uniform(0.02, 0.98, shape).astype(dtype)


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.1, 1, 1), (0.5, 1, 2), (0, 1, 1)])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 1.0, 100.0])
@pytest.mark.parametrize("features", [3, 40])  # narrow and dense on lanes
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_of_one_sweep_is_that_of_several(dtype, features, gamma, weights):
    for n_frames, n_targets in [(1, 1), (40, 37), (200, 9)]:
        x, y = probabilities((n_frames, features), 0, dtype), probabilities((n_targets, features), 1, dtype)
        settings = {"cost": "bce", "gamma": gamma, "step_weights": weights}
        full, apart = align_in_full(x, y, **settings), wl.align(x, y, **settings)
        assert full.value == apart.value
        for name in ("h", "H", "y_mod"):
            np.testing.assert_array_equal(getattr(full, name), getattr(apart, name), err_msg=name)
        tolerance = 2e-6 * (n_frames + n_targets + apart.entropy) if dtype == np.float32 else 1e-9
        assert full.entropy == pytest.approx(apart.entropy, abs=tolerance)


def test_sparse_targets_and_several_threads_change_nothing():
    rng = np.random.default_rng(2)
    y = (rng.random((700, 88)) < 0.04).astype(np.float32)
    x = probabilities((3000, 88), 3, np.float32)
    alone, many = (
        align_in_full(x, y, cost="bce", gamma=1.0, step_weights=(0.1, 1, 1), threads=threads)
        for threads in (1, 4)
    )
    assert alone.entropy == many.entropy
    np.testing.assert_array_equal(alone.H, many.H)
    apart = wl.align(x, y, cost="bce", gamma=1.0, step_weights=(0.1, 1, 1))
    np.testing.assert_array_equal(alone.H, apart.H)
    assert alone.entropy == pytest.approx(apart.entropy, rel=1e-5)


def test_entropy_is_what_the_value_lacks_of_the_expected_cost():
    x, y = probabilities((60, 20), 0, np.float32), probabilities((30, 20), 1, np.float32)
    full = align_in_full(x, y, cost="mse", gamma=3.0, step_weights=(0.1, 1, 1))
    costs = 0.5 * ((x[:, None].astype(float) - y) ** 2).sum(axis=2)
    assert full.entropy == pytest.approx(((costs * full.H).sum() - full.value) / 3.0, rel=1e-4)
