"""The cost matrix of the core against the formulas of the documentation."""

import numpy as np
import pytest
from oracles import costs

import warplens as wl
from warplens import _core

F, P = np.array([0.5, 2.0, 1.0, 0.0, 0.3]), np.array([1.0, 3.0, 0.2, 1.0, 0.0])


def variants(cost):
    """Keyword arguments of `cost_matrix`, and the same for the oracle."""
    yield {}, {}
    yield {"feature_weights": F}, {"f": F}
    if cost not in ("cosine", "euclidean"):
        yield {"feature_reduction": "mean"}, {"mean": True}
        yield {"feature_reduction": "mean", "feature_weights": F}, {"f": F, "mean": True}
    if cost in ("bce", "bce_logits"):
        yield {"pos_weight": P}, {"p": P}
        yield {"pos_weight": P, "feature_weights": F}, {"p": P, "f": F}


@pytest.mark.parametrize("cost", costs.COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("N", "M"), [(1, 1), (1, 6), (9, 1), (23, 14)])
def test_every_cost_is_its_formula(cost, dtype, N, M):
    x, y = costs.sample(cost, N, M, 5, dtype=dtype)
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    for settings, oracle in variants(cost):
        C = wl.cost_matrix(x, y, cost=cost, **settings)
        assert C.dtype == dtype
        np.testing.assert_allclose(C, costs.matrix(cost, x, y, **oracle), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("cost", costs.COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_aligning_by_the_matrix_is_aligning_the_sequences(cost, dtype):
    x, y = costs.sample(cost, 40, 23, 5, dtype=dtype)
    for settings, _ in variants(cost):
        by_sequences = wl.align(x, y, cost=cost, gamma=0.5, step_weights=(0.1, 1, 1), **settings)
        by_costs = wl.align_costs(
            wl.cost_matrix(x, y, cost=cost, **settings), gamma=0.5, step_weights=(0.1, 1, 1)
        )
        tolerance = 1e-10 if dtype == np.float64 else 2e-5
        assert by_costs.value == pytest.approx(by_sequences.value, rel=tolerance, abs=tolerance)
        np.testing.assert_allclose(by_costs.H, by_sequences.H, atol=tolerance)


def test_distances_of_equal_frames_vanish():
    x, _ = costs.sample("mse", 8, 1, 5)
    for cost in ("euclidean", "l1"):
        np.testing.assert_array_equal(np.diag(wl.cost_matrix(x, x, cost=cost)), 0)
    for cost in ("mse", "sqeuclidean", "cosine"):
        np.testing.assert_allclose(np.diag(wl.cost_matrix(x, x, cost=cost)), 0, atol=1e-14)


def test_logs_are_clamped():
    x, y = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(wl.cost_matrix(x, y, cost="bce"), [[200, 0]])
    np.testing.assert_allclose(wl.cost_matrix(x, y, cost="ce"), [[100, 0]])


def test_a_zero_vector_has_no_direction():
    np.testing.assert_allclose(wl.cost_matrix(np.zeros((1, 3)), np.eye(3), cost="cosine"), [[1, 1, 1]])


def test_series_dtypes_and_callables():
    x, y = costs.sample("mse", 6, 4, 1)
    C = wl.cost_matrix(x[:, 0], y[:, 0])
    np.testing.assert_array_equal(C, wl.cost_matrix(x, y))
    assert wl.cost_matrix(x, y.astype(np.float32)).dtype == np.float64
    assert wl.cost_matrix(x, y, dtype=np.float32).dtype == np.float32
    assert C.flags.writeable
    np.testing.assert_array_equal(wl.cost_matrix(x, y, cost=lambda x, y: x - y.T), x - y.T)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: wl.cost_matrix(x[:0], y), r"^x: is an empty sequence"),
        (lambda x, y: wl.cost_matrix(x, y[:, :2]), r"^y: has D = 2 features \(shape \(4, 2\)\), but x has 3"),
        (lambda x, y: wl.cost_matrix(x * np.nan, y), r"^x: is nan at index \(0, 0\)"),
        (lambda x, y: wl.cost_matrix(x, y, cost="rmse"), r"^cost: unknown cost 'rmse'; accepted are mse"),
        (lambda x, y: wl.cost_matrix(x + 9, y, cost="bce"), r"^x: is .* cost \"bce\" accepts values in"),
        (lambda x, y: wl.cost_matrix(x, y, feature_weights=[1.0]), r"^feature_weights: has shape \(1,\)"),
        (lambda x, y: wl.cost_matrix(x, y, pos_weight=[1.0] * 3), r"^pos_weight: belongs to the costs"),
        (lambda x, y: wl.cost_matrix(x + 1e200, y), r"^x, y: their costs 'mse' overflow float64"),
        (
            lambda x, y: wl.cost_matrix(x + 1e30, y, dtype=np.float32),
            r"^x, y: their costs 'mse' overflow float32",
        ),
        (lambda x, y: wl.cost_matrix(x, y, cost=lambda x, y: x), r"^cost: returned shape \(6, 3\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(*costs.sample("mse", 6, 4, 3))


def test_the_compiled_module_refuses_arrays_of_two_precisions():
    x, y = costs.sample("mse", 6, 4, 3)
    with pytest.raises(TypeError, match="x, y: every array must be C-contiguous, of one dtype"):
        _core.cost_matrix(x, y.astype(np.float32), cost="mse", feature_weights=None, pos_weight=None)
    with pytest.raises(ValueError, match="y: has 2 features, x has 3"):
        _core.cost_matrix(
            x, np.ascontiguousarray(y[:, :2]), cost="mse", feature_weights=None, pos_weight=None
        )
