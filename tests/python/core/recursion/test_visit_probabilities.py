"""E(n,m) is the probability that the random path visits a cell, whatever the size and scale of the costs."""

import numpy as np
import pytest

import warplens as wl


def assert_probabilities(E, tolerance=1e-5):
    assert np.isfinite(E).all()
    assert abs(E[0, 0] - 1) <= tolerance
    assert abs(E[-1, -1] - 1) <= tolerance
    assert E.min() >= 0
    assert E.max() <= 1 + tolerance
    assert E.sum(axis=1, dtype=np.float64).min() >= 1 - tolerance
    assert E.sum(axis=0, dtype=np.float64).min() >= 1 - tolerance


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_visits_of_a_thousand_frames_in_float32_are_probabilities(scale):
    generator = np.random.default_rng(0)
    x, y = (generator.normal(size=(1000, 80)).astype(np.float32) for _ in range(2))
    factor = np.float32(np.sqrt(scale))
    alignment = wl.align(factor * x, factor * y, gamma=0.1)
    assert alignment.E.dtype == np.float32
    assert_probabilities(alignment.E)
    np.testing.assert_allclose(alignment.H, alignment.E, atol=1e-6)
    assert alignment.H.max() <= 1 + 1e-5
    given = wl.align_costs((scale * generator.exponential(40.0, (1000, 1000))).astype(np.float32), gamma=0.1)
    assert_probabilities(given.E)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [1e-3, 0.01, 1.0, 100.0])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_visits_at_any_scale_and_softness_are_probabilities(dtype, gamma, scale):
    generator = np.random.default_rng(1)
    C = (scale * generator.random((150, 90))).astype(dtype)
    for weights in [(1, 1, 1), (0.1, 1, 1), (0, 1, 0.5)]:
        assert_probabilities(wl.align_costs(C, gamma=gamma, step_weights=weights).E)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("magnitude", [1e8, 1e12, 1e17])
def test_visits_under_costs_beyond_every_exponent_are_probabilities(dtype, magnitude):
    """Costs whose accumulated sum over gamma exceeds what an integer exponent of 32 or of 53 bits counts."""
    generator = np.random.default_rng(2)
    C = (magnitude * (1 + generator.random((50, 40)))).astype(dtype)
    alignment = wl.align_costs(C, gamma=0.01)
    hard = alignment.path()
    assert alignment.value == pytest.approx(hard.value, rel=1e-6)
    assert_probabilities(alignment.E)


@pytest.mark.parametrize("gamma", [1e-30, 1e-150, 1e-300, 5e-324])
def test_visits_at_tiny_gamma_follow_the_hard_path(gamma):
    generator = np.random.default_rng(3)
    C = generator.random((20, 30))
    alignment = wl.align_costs(C, gamma=gamma)
    hard = alignment.path()
    assert alignment.value == pytest.approx(hard.value, rel=1e-12)
    on_path = np.zeros(C.shape)
    on_path[tuple(hard.indices.T)] = 1
    np.testing.assert_allclose(alignment.E, on_path, atol=1e-12)


@pytest.mark.parametrize("gamma", [1e-300, 1e-30, 1.0, 1e30])
def test_ties_split_the_mass_at_any_gamma(gamma):
    """Hard DTW takes one of the equal paths; soft DTW is the mean of all however small gamma is."""
    alignment = wl.align_costs(np.zeros((2, 2)), gamma=gamma)
    np.testing.assert_allclose(alignment.E, [[1, 1 / 3], [1 / 3, 1]], rtol=1e-12)
    assert alignment.value == pytest.approx(-gamma * np.log(3), rel=1e-12)
    assert alignment.entropy == pytest.approx(np.log(3), rel=1e-12)


def test_large_sequences_keep_no_square():
    """A long pair, whose probabilities are recomputed block by block, obeys the same laws."""
    generator = np.random.default_rng(4)
    x, y = generator.normal(size=(4000, 2)), generator.normal(size=(1500, 2))
    alignment = wl.align(x, y)
    assert alignment.value == pytest.approx(wl.soft_dtw(x, y), rel=1e-12)
    assert_probabilities(alignment.E, 1e-10)
    np.testing.assert_allclose(alignment.h, alignment.H.sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(alignment.y_mod, alignment.H @ y / alignment.h[:, None], atol=1e-10)
