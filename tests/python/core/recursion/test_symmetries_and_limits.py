"""Symmetries of soft DTW, its limits in gamma, and its bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import costs, every_path

import warplens as wl

WEIGHTS = (0.3, 1.2, 0.9)


@st.composite
def problems(draw):
    """A cost matrix and step weights."""
    N, M = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = [draw(st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0])) for _ in range(3)]
    return draw(st.sampled_from([0.1, 1.0, 30.0])) * generator.normal(size=(N, M)), weights


@given(problems(), st.floats(0.01, 50))
def test_transposition_swaps_horizontal_and_vertical(problem, gamma):
    C, (w_h, w_v, w_d) = problem
    a = wl.align_costs(C, gamma=gamma, step_weights=(w_h, w_v, w_d))
    b = wl.align_costs(C.T, gamma=gamma, step_weights=(w_v, w_h, w_d))
    assert a.value == pytest.approx(b.value, rel=1e-11, abs=1e-11)
    np.testing.assert_allclose(a.H, b.H.T, atol=1e-10)
    np.testing.assert_allclose(a.E, b.E.T, atol=1e-10)
    np.testing.assert_allclose(a.step_weights_grad, b.step_weights_grad[[1, 0, 2]], rtol=1e-9, atol=1e-9)


@given(problems(), st.floats(0.01, 50), st.floats(1e-3, 1e3))
def test_costs_and_gamma_scale_together(problem, gamma, k):
    C, weights = problem
    a = wl.align_costs(C, gamma=gamma, step_weights=weights)
    b = wl.align_costs(k * C, gamma=k * gamma, step_weights=weights)
    assert b.value == pytest.approx(k * a.value, rel=1e-10, abs=1e-10 * k)
    np.testing.assert_allclose(a.H, b.H, atol=1e-10)


@given(problems(), st.floats(0.01, 50))
def test_reversal_in_time_keeps_the_value_with_unit_weights(problem, gamma):
    C, _ = problem
    a, b = wl.align_costs(C, gamma=gamma), wl.align_costs(C[::-1, ::-1], gamma=gamma)
    assert a.value == pytest.approx(b.value, rel=1e-11, abs=1e-11)
    np.testing.assert_allclose(a.H, b.H[::-1, ::-1], atol=1e-10)


@given(problems(), st.floats(0.01, 50))
def test_value_lies_below_the_hard_one_by_at_most_the_entropy_of_all_paths(problem, gamma):
    C, weights = problem
    soft, hard = (
        wl.align_costs(C, gamma=gamma, step_weights=weights),
        wl.align_costs(C, gamma=0, step_weights=weights),
    )
    log_paths = every_path.log_big(every_path.delannoy(*C.shape))
    assert soft.value <= hard.value + 1e-9
    assert soft.value >= hard.value - gamma * log_paths - 1e-9
    assert 0 <= soft.entropy <= log_paths + 1e-9


@given(problems(), st.floats(0.01, 20), st.floats(1.01, 5))
def test_value_falls_as_gamma_grows(problem, gamma, factor):
    C, weights = problem
    a = wl.align_costs(C, gamma=gamma, step_weights=weights)
    b = wl.align_costs(C, gamma=factor * gamma, step_weights=weights)
    assert b.value <= a.value + 1e-9
    # The value is concave in gamma: each tangent lies above it.
    assert b.value <= a.value + a.gamma_grad * (factor - 1) * gamma + 1e-9 * (1 + abs(a.value))


@given(problems(), st.floats(0.01, 50))
def test_value_is_the_expected_cost_less_the_entropy(problem, gamma):
    C, weights = problem
    a = wl.align_costs(C, gamma=gamma, step_weights=weights)
    assert a.value == pytest.approx((C * a.H).sum() - gamma * a.entropy, rel=1e-9, abs=1e-9)
    assert a.value == pytest.approx(
        np.dot(weights, a.step_weights_grad) - gamma * a.entropy, rel=1e-9, abs=1e-9
    )


@pytest.mark.parametrize("cost", costs.COSTS)
def test_gamma_to_zero_gives_the_hard_path(cost):
    x, y = costs.sample(cost, 23, 14, 4)
    settings = {"cost": cost, "step_weights": WEIGHTS}
    hard = wl.align(x, y, gamma=0, **settings)
    path = wl.hard_dtw(x, y, **settings)
    assert hard.value == path.value
    for gamma in (1e-4, 1e-7):
        soft = wl.align(x, y, gamma=gamma, **settings)
        assert soft.value == pytest.approx(path.value, rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(soft.H, hard.H, atol=1e-3 if gamma > 1e-6 else 1e-12)
        np.testing.assert_array_equal(soft.path().indices, path.indices)
    visited = np.zeros((23, 14))
    visited[tuple(path.indices.T)] = 1
    np.testing.assert_array_equal(hard.E, visited)
    assert hard.entropy == 0
    assert hard.gamma_grad == 0


def test_gamma_to_infinity_weighs_all_paths_alike():
    C = np.random.default_rng(0).random((12, 9))
    np.testing.assert_allclose(
        wl.align_costs(C, gamma=1e9).E, wl.align_costs(np.zeros((12, 9)), gamma=1.0).E, atol=1e-7
    )


def test_unit_weights_make_the_soft_alignment_a_probability():
    C = np.random.default_rng(0).random((12, 9))
    a = wl.align_costs(C, gamma=0.3)
    np.testing.assert_allclose(a.H, a.E, atol=1e-15)


@pytest.mark.parametrize("cost", ["mse", "sqeuclidean", "euclidean", "l1"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_common_offset_changes_nothing(cost, dtype):
    generator = np.random.default_rng(5)
    # Multiples of 2^-10, so that the offset itself is exact in float32.
    x, y = (np.round(generator.normal(size=(L, 20)) * 1024).astype(dtype) / dtype(1024) for L in (200, 150))
    for offset in (10, 1000):
        plain = wl.align(x, y, cost=cost, gamma=0.1)
        moved = wl.align(x + dtype(offset), y + dtype(offset), cost=cost, gamma=0.1)
        assert moved.value == pytest.approx(plain.value, rel=1e-4)
        difference = np.linalg.norm(moved.x_grad - plain.x_grad) / np.linalg.norm(plain.x_grad)
        assert difference < (2e-3 if dtype == np.float32 else 1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_frame_against_many_has_one_path(dtype):
    x, y = costs.sample("mse", 1, 40, 6, dtype=dtype)
    C = costs.matrix("mse", x, y)
    across = wl.align(x, y, step_weights=WEIGHTS)
    down = wl.align(y, x, step_weights=WEIGHTS)
    assert across.value == pytest.approx(0.9 * C[0, 0] + 1.2 * C[0, 1:].sum(), rel=1e-5)
    assert down.value == pytest.approx(0.9 * C[0, 0] + 0.3 * C[0, 1:].sum(), rel=1e-5)
    np.testing.assert_array_equal(across.E, np.ones((1, 40)))
    assert across.entropy == down.entropy == 0
