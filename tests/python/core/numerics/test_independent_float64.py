"""Agreement with an independent float64 implementation: all small shapes, large matrices, real data."""

import itertools

import numpy as np
import pytest
from oracles import costs, diagonals

import warplens as wl

GAMMAS = [0.1, 1.0, 10.0]


def assert_agrees(alignment, truth, dtype):
    largest = truth.H.max()
    tolerance = 1e-9 if dtype == np.float64 else 1e-4 * largest
    relative = 1e-9 if dtype == np.float64 else 1e-5
    # The value is -gamma times the logarithm of a product of N + M rounded factors.
    rounding = 2 * alignment.gamma * sum(alignment.shape) * 2.0**-24 if dtype == np.float32 else 1e-9
    assert alignment.H.dtype == dtype
    assert abs(alignment.value - truth.value) <= relative * abs(truth.value) + rounding
    np.testing.assert_allclose(alignment.H, truth.H, rtol=0, atol=tolerance)
    np.testing.assert_allclose(alignment.E, truth.E, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("gamma", "weights"), [(0.1, (1, 1, 1)), (5.0, (0.1, 1, 1)), (50.0, (0.7, 0.2, 1.3))]
)
def test_agreement_for_every_shape_of_two_vector_widths(dtype, gamma, weights):
    """N and M over all residues of any lane count, in an order that leaves others' numbers in scratch."""
    shapes = list(itertools.product([*range(1, 18), 31, 32, 33], repeat=2))
    order = np.random.default_rng(1).permutation(len(shapes))
    pairs = [costs.sample("mse", *shapes[i], 3, dtype=dtype) for i in order]
    alignments = wl.align_many(
        [x for x, _ in pairs], [y for _, y in pairs], gamma=gamma, step_weights=weights, threads=1
    )
    for (x, y), alignment in zip(pairs, alignments, strict=True):
        truth = diagonals.soft_dtw(costs.matrix("mse", x, y), gamma, weights)
        assert_agrees(alignment, truth, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("N", "M"), [(63, 130), (64, 64), (65, 129), (127, 7), (5, 257), (200, 96)])
def test_agreement_for_shapes_around_blocks(dtype, N, M):
    x, y = costs.sample("bce", N, M, 12, dtype=dtype)
    for gamma, weights in [(0.1, (1, 1, 1)), (100.0, (0.1, 1, 1))]:
        truth = diagonals.soft_dtw(costs.matrix("bce", x, y), gamma, weights)
        assert_agrees(wl.align(x, y, cost="bce", gamma=gamma, step_weights=weights), truth, dtype)


@pytest.mark.parametrize("cost", costs.COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agreement_for_every_cost(cost, dtype):
    """The compiled costs are those of the documentation, weights and reductions included."""
    x, y = costs.sample(cost, 40, 23, 5, dtype=dtype)
    f, p = np.array([0.5, 2.0, 1.0, 0.0, 0.3]), np.array([1.0, 3.0, 0.2, 1.0, 0.0])
    plain = diagonals.soft_dtw(costs.matrix(cost, x, y), 1.0, (1, 1, 1))
    assert_agrees(wl.align(x, y, cost=cost), plain, dtype)
    positive = p if cost in ("bce", "bce_logits") else None
    weighted = diagonals.soft_dtw(costs.matrix(cost, x, y, f, positive), 1.0, (1, 1, 1))
    assert_agrees(wl.align(x, y, cost=cost, feature_weights=f, pos_weight=positive), weighted, dtype)
    if cost not in ("cosine", "euclidean"):
        averaged = diagonals.soft_dtw(costs.matrix(cost, x, y, f, mean=True), 1.0, (1, 1, 1))
        assert_agrees(wl.align(x, y, cost=cost, feature_weights=f, feature_reduction="mean"), averaged, dtype)


@pytest.mark.parametrize(("N", "M"), [(1000, 1000), (861, 100), (100, 700)])
def test_agreement_for_large_gaussian_data(N, M):
    x, y = costs.sample("mse", N, M, 80, dtype=np.float32)
    C = costs.matrix("mse", x, y)
    for gamma in GAMMAS:
        truth = diagonals.soft_dtw(C, gamma, (1, 1, 1))
        assert_agrees(wl.align(x, y, gamma=gamma), truth, np.float32)
        assert_agrees(wl.align(x, y, gamma=gamma, dtype=np.float64), truth, np.float64)


def test_agreement_for_real_data(real_files):
    for file in real_files:
        with np.load(file) as item:
            x, y, cost = item["predictions"], item["weak"].astype(np.float32), str(item["cost"])
        C = costs.matrix(cost, x, y)
        for gamma in GAMMAS:
            truth = diagonals.soft_dtw(C, gamma, (0.1, 1, 1))
            settings = {"cost": cost, "gamma": gamma, "step_weights": (0.1, 1, 1)}
            assert_agrees(wl.align(x, y, **settings), truth, np.float32)
            assert_agrees(wl.align(x, y, **settings, dtype=np.float64), truth, np.float64)
