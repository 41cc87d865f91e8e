"""Hard DTW: the path of least cost, its ties, and its place as the most probable path."""

import numpy as np
import pytest
from oracles import costs, every_path

import warplens as wl

DYADIC_WEIGHTS = [(1, 1, 1), (0.5, 1, 2), (0, 1, 1), (1, 1, 2), (0.25, 0, 0.5)]


def path_of(C, weights):
    """By the recursion, ties diagonal, then horizontal, then vertical, walked back from the end."""
    N, M = C.shape
    D = np.full((N + 1, M + 1), np.inf)
    D[0, 0] = 0
    for n in range(N):
        for m in range(M):
            D[n + 1, m + 1] = min(
                weights[s] * C[n, m] + D[n + 1 - dn, m + 1 - dm]
                for s, (dn, dm) in enumerate(every_path.STEPS)
            )
    n, m = N, M
    cells = []
    while (n, m) != (0, 0):
        cells.append((n - 1, m - 1))
        for s in (2, 0, 1):
            dn, dm = every_path.STEPS[s]
            if weights[s] * C[n - 1, m - 1] + D[n - dn, m - dm] == D[n, m]:
                n, m = n - dn, m - dm
                break
    return np.array(cells[::-1]), D[N, M]


@pytest.mark.parametrize("weights", DYADIC_WEIGHTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_go_diagonal_then_horizontal_then_vertical(weights, dtype):
    """Costs of 0, 1 and 2 tie everywhere, and all sums are exact."""
    for seed, (N, M) in enumerate([(1, 1), (1, 9), (9, 1), (5, 5), (17, 40), (40, 17), (33, 32)]):
        C = np.random.default_rng(seed).integers(0, 3, (N, M)).astype(dtype)
        expected, value = path_of(C, weights)
        path = wl.align_costs(C, gamma=0, step_weights=weights).path()
        np.testing.assert_array_equal(path.indices, expected)
        assert path.indices.dtype == np.int64
        assert path.value == value
        soft = wl.align_costs(C, gamma=1.0, step_weights=weights).path()
        np.testing.assert_array_equal(soft.indices, expected)


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.3, 1.1, 0.7)])
def test_no_path_costs_less(weights):
    for N in range(1, 6):
        for M in range(1, 6):
            x, y = costs.sample("mse", N, M, 3)
            C = costs.matrix("mse", x, y)
            totals = {
                tuple((n, m) for n, m, _ in path): sum(weights[s] * C[n, m] for n, m, s in path)
                for path in every_path.paths(N, M)
            }
            best = min(totals, key=totals.get)
            path = wl.hard_dtw(x, y, step_weights=weights)
            assert path.value == pytest.approx(totals[best], rel=1e-12)
            assert tuple(map(tuple, path.indices)) == best


@pytest.mark.parametrize("cost", costs.COSTS)
def test_the_path_is_a_path_and_its_value_its_cost(cost):
    weights = (0.3, 1.1, 0.7)
    x, y = costs.sample(cost, 50, 31, 4)
    path = wl.hard_dtw(x, y, cost=cost, step_weights=weights)
    C = costs.matrix(cost, x, y)
    steps = np.diff(path.indices, axis=0)
    assert tuple(path.indices[0]) == (0, 0)
    assert tuple(path.indices[-1]) == (49, 30)
    kinds = [every_path.STEPS.index(tuple(step)) for step in steps.tolist()]
    charged = weights[2] * C[0, 0] + sum(
        weights[s] * C[n, m] for s, (n, m) in zip(kinds, path.indices[1:], strict=True)
    )
    assert path.value == pytest.approx(charged, rel=1e-10)
    assert path.value == pytest.approx(wl.soft_dtw(x, y, cost=cost, gamma=0, step_weights=weights), rel=1e-12)


def test_equal_series_align_on_the_diagonal():
    x = np.random.default_rng(0).normal(size=(20, 3))
    path = wl.hard_dtw(x, x)
    np.testing.assert_array_equal(path.indices, np.arange(20)[:, None].repeat(2, axis=1))
    assert path.value == pytest.approx(0, abs=1e-12)
