"""Value, H, E, entropy and gradients against the sum over every warping path."""

import itertools

import numpy as np
import pytest
from oracles import diagonals, every_path

import warplens as wl

SHAPES = list(itertools.product(range(1, 6), repeat=2))
WEIGHTS = [(1, 1, 1), (0.1, 1, 1), (0.3, 1.7, 0.8), (0, 1, 2), (2, 0, 0.5), (0.5, 0.25, 0), (0, 0, 0)]


def costs(N, M, forbidden=0.0):
    generator = np.random.default_rng([N, M])
    C = generator.normal(0.5, 1.0, (N, M))
    C[generator.random((N, M)) < forbidden] = np.inf
    return C


def assert_is(alignment, truth, tolerance):
    assert alignment.value == pytest.approx(truth.value, rel=tolerance, abs=tolerance)
    np.testing.assert_allclose(alignment.H, truth.H, atol=tolerance)
    np.testing.assert_allclose(alignment.h, truth.H.sum(axis=1), atol=5 * tolerance)
    np.testing.assert_allclose(alignment.E, truth.E, atol=tolerance)
    assert alignment.entropy == pytest.approx(truth.entropy, rel=tolerance, abs=10 * tolerance)
    assert alignment.gamma_grad == -alignment.entropy
    np.testing.assert_allclose(
        alignment.step_weights_grad, truth.step_weights_grad, rtol=tolerance, atol=10 * tolerance
    )


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("gamma", [0.05, 1.0, 20.0])
def test_recursion_is_the_sum_over_every_path(gamma, weights):
    for N, M in SHAPES:
        C = costs(N, M)
        truth = every_path.soft_dtw(C, gamma, weights)
        assert_is(wl.align_costs(C, gamma=gamma, step_weights=weights), truth, 1e-12)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_float32_costs_give_the_sum_over_every_path(weights):
    for N, M in SHAPES:
        C = costs(N, M).astype(np.float32)
        truth = every_path.soft_dtw(C.astype(np.float64), 0.3, weights)
        alignment = wl.align_costs(C, gamma=0.3, step_weights=weights)
        assert alignment.H.dtype == alignment.h.dtype == alignment.E.dtype == np.float32
        assert_is(alignment, truth, 2e-6)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_paths_through_forbidden_cells_do_not_count(weights):
    forbidden = 0
    for N, M in SHAPES:
        C = costs(N, M, forbidden=0.25)
        truth = every_path.soft_dtw(C, 0.7, weights)
        if np.isinf(truth.value):
            forbidden += 1
            with pytest.raises(wl.NoPathError, match=f"{N} x {M} cost matrix"):
                wl.align_costs(C, gamma=0.7, step_weights=weights)
        else:
            assert_is(wl.align_costs(C, gamma=0.7, step_weights=weights), truth, 1e-12)
    assert 0 < forbidden < len(SHAPES)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_two_oracles_agree(weights):
    for N, M in SHAPES:
        for forbidden in (0.0, 0.25):
            C = costs(N, M, forbidden)
            walked, swept = every_path.soft_dtw(C, 0.7, weights), diagonals.soft_dtw(C, 0.7, weights)
            assert swept.value == pytest.approx(walked.value, abs=1e-12)
            np.testing.assert_allclose(swept.H, walked.H, atol=1e-12)
            np.testing.assert_allclose(swept.E, walked.E, atol=1e-12)
            assert swept.entropy == pytest.approx(walked.entropy, abs=1e-11)
            np.testing.assert_allclose(swept.step_weights_grad, walked.step_weights_grad, atol=1e-11)


@pytest.mark.parametrize(("N", "M"), [(1, 1), (3, 5), (60, 4), (200, 300)])
def test_free_steps_count_the_paths(N, M):
    """With costs of 0 the value is -gamma log(number of paths), and the entropy its logarithm."""
    alignment = wl.align_costs(np.zeros((N, M)), gamma=2.0)
    log_paths = every_path.log_big(every_path.delannoy(N, M))
    assert alignment.value == pytest.approx(-2.0 * log_paths, rel=1e-12)
    assert alignment.entropy == pytest.approx(log_paths, rel=1e-10)
