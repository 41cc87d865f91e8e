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
            if C[n, m] == np.inf:
                continue
            D[n + 1, m + 1] = min(
                weights[s] * C[n, m] + D[n + 1 - dn, m + 1 - dm]
                for s, (dn, dm) in enumerate(every_path.STEPS)
            )
    n, m = N, M
    cells = []
    while (n, m) != (0, 0) and np.isfinite(D[N, M]):
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


@pytest.mark.parametrize("weights", DYADIC_WEIGHTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forbidden_cells_are_never_visited(weights, dtype):
    """Not by steps of weight 0 either, whose product with +inf is no number."""
    found = []
    for seed, (N, M) in enumerate([(1, 1), (1, 40), (9, 33), (33, 9), (40, 41), (64, 70)] * 2):
        generator = np.random.default_rng(seed)
        C = generator.integers(0, 3, (N, M)).astype(dtype)
        C[generator.random((N, M)) < 0.25] = np.inf
        expected, value = path_of(C, weights)
        found.append(np.isfinite(value))
        if found[-1]:
            path = wl.align_costs(C, gamma=0, step_weights=weights).path()
            np.testing.assert_array_equal(path.indices, expected)
            assert path.value == value
        else:
            with pytest.raises(wl.NoPathError, match=rf"forbid every warping path .* {N} x {M} cost matrix;"):
                wl.align_costs(C, gamma=0, step_weights=weights)
    assert any(found)
    assert not all(found)


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.1, 1, 1)])
def test_float32_loses_nothing_on_long_paths(weights):
    """Sums of thousands of costs, and costs that are differences of large products, are those of float64."""
    generator = np.random.default_rng(0)
    ramp = np.linspace(0, 1000, 3000)[:, None] + 100 * np.arange(6)
    for x, y in [
        (np.full((3000, 1), 0.1), np.full((2500, 1), 0.7)),
        (ramp + 0.1 * generator.normal(size=ramp.shape), ramp[::2] + 0.1 * generator.normal(size=(1500, 6))),
    ]:
        x, y = x.astype(np.float32), y.astype(np.float32)
        narrow = wl.hard_dtw(x, y, step_weights=weights)
        wide = wl.hard_dtw(x.astype(np.float64), y.astype(np.float64), step_weights=weights)
        assert narrow.value == pytest.approx(wide.value, rel=1e-12)
        assert wl.soft_dtw(x, y, gamma=0, step_weights=weights) == narrow.value


@pytest.mark.parametrize("cost", ["mse", "bce", "cosine", "l1"])
def test_calls_for_many_pairs_give_what_those_for_one_give(cost):
    series = [costs.sample(cost, n, 7, 3)[0] for n in (5, 33, 70)]
    values = wl.cdist(series, cost=cost, gamma=0, step_weights=(0.3, 1, 1))
    many = wl.align_many(series, series[::-1], cost=cost, gamma=0, step_weights=(0.3, 1, 1), threads=2)
    for k, x in enumerate(series):
        for m, y in enumerate(series):
            path = wl.hard_dtw(x, y, cost=cost, step_weights=(0.3, 1, 1))
            assert values[k, m] == path.value
        alone = wl.align(x, series[-1 - k], cost=cost, gamma=0, step_weights=(0.3, 1, 1))
        assert many[k].value == alone.value
        np.testing.assert_array_equal(many[k].x_grad, alone.x_grad)
        np.testing.assert_array_equal(many[k].path().indices, alone.path().indices)


def test_equal_series_align_on_the_diagonal():
    x = np.random.default_rng(0).normal(size=(20, 3))
    path = wl.hard_dtw(x, x)
    np.testing.assert_array_equal(path.indices, np.arange(20)[:, None].repeat(2, axis=1))
    assert path.value == pytest.approx(0, abs=1e-12)
