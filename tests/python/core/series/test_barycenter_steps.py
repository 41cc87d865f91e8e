"""The steps of a barycenter: the sums of the definition, the same bits for any number of threads."""

import numpy as np
import pytest
from oracles import costs

import warplens as wl
from warplens import _core

MEANS = ["mse", "sqeuclidean", "bce", "poisson"]


def series(cost, lengths, d=2):
    return [costs.sample(cost, 1, length, d, seed=i)[1] for i, length in enumerate(lengths)]


def sums(z, xs, shares, cost="mse", gamma=0.5, weights=(0.3, 1.0, 1.0), threads=None):
    return _core.barycenter_sums(
        z,
        xs,
        shares,
        cost=cost,
        gamma=gamma,
        step_weights=weights,
        band=None,
        feature_weights=None,
        pos_weight=None,
        wants_expected_cost=True,
        threads=threads,
    )


@pytest.mark.parametrize("cost", MEANS)
@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_the_sums_are_those_of_their_definition(cost, gamma):
    xs, shares = series(cost, (10, 1, 17)), np.array([0.5, 0.2, 0.3])
    z = costs.sample(cost, 12, 1, 2, seed=9)[0]
    result = sums(z, xs, shares, cost, gamma)
    pairs = [wl.align(z, x, cost=cost, gamma=gamma, step_weights=(0.3, 1.0, 1.0)) for x in xs]
    expected_costs = [each.value + gamma * each.entropy for each in pairs]
    assert result["objective"] == pytest.approx(shares @ [each.value for each in pairs], rel=1e-12)
    assert result["expected_cost"] == pytest.approx(shares @ np.abs(expected_costs), rel=1e-10)
    mass = sum(share * each.h for share, each in zip(shares, pairs, strict=True))
    moved = sum(share * each.h[:, None] * each.y_mod for share, each in zip(shares, pairs, strict=True))
    np.testing.assert_allclose(result["mass"], mass, rtol=1e-12)
    np.testing.assert_allclose(result["moved"], moved, rtol=1e-12)


def test_threads_change_no_bit():
    """More series than parts, so that some parts hold several."""
    xs = series("mse", [3 + 7 * k % 19 for k in range(600)], d=1)
    z, shares = np.linspace(-1, 1, 12)[:, None], np.full(600, 1 / 600)
    one = sums(z, xs, shares, threads=1)
    for threads in (2, 3, None):
        for name, value in sums(z, xs, shares, threads=threads).items():
            np.testing.assert_array_equal(value, one[name])
    np.testing.assert_array_equal(wl.barycenter(xs, threads=1), wl.barycenter(xs, threads=2))


def by_alignments(xs, *, cost, gamma, tolerance=1e-6):
    """The barycenter pair by pair, from alignments, each iteration replacing z by the mean of its targets."""
    n = round(np.mean([len(x) for x in xs]))
    stretched = [
        np.stack(
            [np.interp(np.linspace(0, len(x) - 1, n), np.arange(len(x)), column) for column in x.T], axis=1
        )
        for x in xs
    ]
    z, before, size = np.mean(stretched, axis=0), np.inf, None
    for _ in range(100):
        pairs = [wl.align(z, x, cost=cost, gamma=gamma) for x in xs]
        objective = np.mean([each.value for each in pairs])
        if size is None:
            size = np.mean([abs(each.value + gamma * each.entropy) for each in pairs])
        elif before - objective <= tolerance * size:
            break
        before = objective
        z = sum(each.h[:, None] * each.y_mod for each in pairs) / sum(each.h for each in pairs)[:, None]
    return z


@pytest.mark.parametrize("cost", ["mse", "poisson"])
@pytest.mark.parametrize("gamma", [0.1, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_objective_is_no_higher_than_that_of_means_pair_by_pair(cost, gamma, seed):
    generator = np.random.default_rng(seed)
    xs = [0.1 + np.abs(generator.standard_normal((length, 2))) for length in generator.integers(4, 25, 6)]

    def objective(z):
        return np.mean([wl.soft_dtw(z, x, cost=cost, gamma=gamma) for x in xs])

    reached = objective(wl.barycenter(xs, cost=cost, gamma=gamma))
    before = objective(by_alignments(xs, cost=cost, gamma=gamma))
    assert reached <= before + 1e-9 * abs(before)
