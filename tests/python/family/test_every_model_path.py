"""The general model against the sum over every path: values, probabilities, hard paths and gradients."""

import itertools
from functools import partial

import numpy as np
import pytest
from oracles import differences, every_model_path
from oracles.every_model_path import Setting, corner

import warplens as wl

SHAPES = [(1, 1), (1, 4), (4, 1), (2, 3), (3, 3), (4, 3)]


def parameter(generator, N, M, make):
    shape = [(), (N, 1), (1, M), (N, M)][generator.integers(4)]
    return make(generator, shape) if shape else float(make(generator, (1,))[0])


def weight(generator, shape):
    return np.where(generator.random(shape) < 0.2, 0.0, 2 * generator.random(shape))


def penalty(generator, shape):
    finite = 4 * generator.random(shape) - 1.5
    return np.where(generator.random(shape) < 0.15, np.inf, finite)


def random_setting(generator, N, M):
    sizes = [(i, j) for i, j in itertools.product(range(5), repeat=2) if i + j]
    chosen = [(1, 1)] + [sizes[k] for k in generator.integers(len(sizes), size=3)]
    steps = [
        (i, j, parameter(generator, N, M, weight), parameter(generator, N, M, penalty)) for i, j in chosen
    ]
    entry, exit = parameter(generator, N, M, penalty), parameter(generator, N, M, penalty)
    return Setting(steps, entry, exit, parameter(generator, N, M, weight), parameter(generator, N, M, weight))


def random_costs(generator, N, M):
    C = 6 * generator.random((N, M)) - 2
    C[generator.random((N, M)) < 0.1] = np.inf
    return C


def aligned(C, setting, gamma):
    return wl.align_costs(
        C,
        gamma=gamma,
        steps=[wl.Step(*step) for step in setting.steps],
        entry=setting.entry,
        exit=setting.exit,
        entry_weight=setting.entry_weight,
        exit_weight=setting.exit_weight,
    )


def cases(count, shapes=SHAPES):
    for N, M in shapes:
        for seed in range(count):
            generator = np.random.default_rng([N, M, seed])
            yield (
                random_costs(generator, N, M),
                random_setting(generator, N, M),
                (0.05, 1.0, 20.0)[seed % 3],
            )


def test_all_results_are_expectations_over_every_path():
    found = 0
    for C, setting, gamma in cases(12):
        truth = every_model_path.total(C, setting, gamma)
        if truth.value == np.inf:
            with pytest.raises(wl.NoPathError, match="no path"):
                aligned(C, setting, gamma)
            continue
        found += 1
        got = aligned(C, setting, gamma)
        assert got.value == pytest.approx(truth.value, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(got.E, truth.E, atol=1e-12)
        np.testing.assert_allclose(got.H, truth.H, atol=1e-12)
        np.testing.assert_allclose(got.h, truth.H.sum(axis=1), atol=1e-12)
        np.testing.assert_allclose(got.visits, truth.E.sum(axis=0), atol=1e-12)
        np.testing.assert_allclose(got.step_posteriors, truth.uses, atol=1e-12)
        np.testing.assert_allclose(got.begin, truth.begin, atol=1e-12)
        np.testing.assert_allclose(got.end, truth.end, atol=1e-12)
        assert got.entropy == pytest.approx(truth.entropy, rel=1e-9, abs=1e-12)
        # Laws: E by the ways in, one beginning and end, value = mean cost + gamma dvalue/dgamma.
        np.testing.assert_allclose(got.step_posteriors.sum(axis=0) + got.begin, got.E, atol=1e-12)
        assert got.begin.sum() == pytest.approx(1, abs=1e-12)
        assert got.end.sum() == pytest.approx(1, abs=1e-12)
        assert got.value == pytest.approx(truth.mean_cost + gamma * got.gamma_grad, rel=1e-10, abs=1e-10)
    assert found > 45


def test_mass_crosses_every_cut_between_rows_and_columns():
    for C, setting, gamma in cases(6):
        try:
            got = aligned(C, setting, gamma)
        except wl.NoPathError:
            continue
        N, M = C.shape
        for axis, count in ((0, N), (1, M)):
            for cut in range(1, count):
                crossing = sum(
                    np.take(U, range(cut, min(cut + step[axis], count)), axis).sum()
                    for U, step in zip(got.step_posteriors, setting.steps, strict=True)
                )
                began, not_ended = (np.take(P, range(cut, count), axis).sum() for P in (got.begin, got.end))
                assert crossing + began + 1 - not_ended == pytest.approx(1, abs=1e-12)


def test_value_scales_with_costs_penalties_and_gamma():
    k = 3.7
    for C, setting, gamma in cases(4):
        scaled = Setting(
            [(i, j, w, np.multiply(k, b)) for i, j, w, b in setting.steps],
            np.multiply(k, setting.entry),
            np.multiply(k, setting.exit),
            setting.entry_weight,
            setting.exit_weight,
        )
        try:
            value = aligned(C, setting, gamma).value
        except wl.NoPathError:
            continue
        assert aligned(k * C, scaled, k * gamma).value == pytest.approx(k * value, rel=1e-12, abs=1e-12)


def test_the_most_probable_path_is_a_path_of_least_cost():
    for C, setting, gamma in cases(12):
        truth = every_model_path.total(C, setting, gamma)
        if truth.value == np.inf:
            continue
        path = aligned(C, setting, gamma).path()
        cells = tuple((int(n), int(m), int(s)) for (n, m), s in zip(path.indices, path.steps, strict=True))
        assert path.value == pytest.approx(truth.least, rel=1e-13, abs=1e-13)
        if len(truth.best) == 1:
            assert cells == truth.best[0]
        hard = aligned(C, setting, 0.0)
        assert hard.value == path.value
        assert hard.entropy == 0
        np.testing.assert_array_equal(np.argwhere(hard.E > 0), sorted({(n, m) for n, m, _ in cells}))


def test_ties_begin_then_take_the_larger_step_then_more_frames_then_the_first_listed():
    C = np.zeros((3, 3))
    steps = [wl.Step(0, 1), wl.Step(1, 0), wl.Step(1, 1), wl.Step(1, 1), wl.Step(0, 2)]
    path = wl.align_costs(C, steps=steps).path()
    np.testing.assert_array_equal(path.indices, [(0, 0), (1, 1), (2, 2)])
    np.testing.assert_array_equal(path.steps, [-1, 2, 2])
    path = wl.align_costs(np.zeros((3, 2)), steps=steps).path()
    np.testing.assert_array_equal(path.indices, [(0, 0), (1, 0), (2, 1)])
    path = wl.align_costs(C, steps=steps, entry=0.0, exit=0.0).path()
    np.testing.assert_array_equal(path.indices, [(0, 0)])


@pytest.mark.parametrize("shape", [(), (4, 1), (1, 3), (4, 3)])
def test_gradients_of_weights_and_penalties_are_differences(shape):
    generator = np.random.default_rng(5)
    C, w = generator.random((4, 3)), 0.5 + generator.random((2, *shape))
    b = generator.random((2, *shape))

    def value(w, b):
        steps = [wl.Step(1, 0, w[0], b[0]), wl.Step(1, 1, w[1], b[1]), wl.Step(0, 1, 0.7, 0.1)]
        return wl.align_costs(C, gamma=0.6, steps=steps)

    got = value(w, b)
    of_weights = differences.gradient(lambda w: value(w, b).value, w)
    of_penalties = differences.gradient(lambda b: value(w, b).value, b)
    for s in range(2):
        np.testing.assert_allclose(got.step_weights_grad[s], of_weights[s], atol=1e-8)
        np.testing.assert_allclose(got.step_penalties_grad[s], of_penalties[s], atol=1e-8)
    assert isinstance(got.step_penalties_grad, np.ndarray if shape == () else tuple)


def test_gradients_of_entry_and_exit_are_where_paths_begin_and_end():
    generator = np.random.default_rng(6)
    C, entry, exit = generator.random((3, 3, 4))

    def value(entry, exit):
        return wl.align_costs(C, gamma=0.6, entry=entry, exit=exit)

    got = value(entry, exit)
    np.testing.assert_allclose(
        got.begin, differences.gradient(lambda e: value(e, exit).value, entry), atol=1e-8
    )
    np.testing.assert_allclose(
        got.end, differences.gradient(lambda x: value(entry, x).value, exit), atol=1e-8
    )


def test_gradient_of_costs_and_gamma_are_differences():
    for C, setting, gamma in cases(2, [(3, 3), (4, 3)]):
        C = np.where(np.isinf(C), 1.0, C)
        try:
            got = aligned(C, setting, gamma)
        except wl.NoPathError:
            continue

        def value(C, gamma, setting=setting):
            return aligned(C, setting, float(gamma)).value

        slopes = differences.gradient(partial(value, gamma=gamma), C, step=1e-5 * gamma)
        np.testing.assert_allclose(got.H, slopes, atol=1e-6)
        slope = differences.gradient(partial(value, C), gamma, step=1e-4 * gamma)
        assert got.gamma_grad == pytest.approx(float(slope), abs=1e-6)


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.1, 1, 1), (0, 2, 0.5)])
@pytest.mark.parametrize("gamma", [0.0, 0.1, 5.0])
def test_three_steps_are_plain_soft_dtw(weights, gamma):
    C = np.random.default_rng(7).random((9, 7)) * 4
    plain = wl.align_costs(C, gamma=gamma, step_weights=weights)
    sizes = ((1, 0), (0, 1), (1, 1))
    general = wl.align_costs(
        C, gamma=gamma, steps=[wl.Step(*size, w) for size, w in zip(sizes, weights, strict=True)]
    )
    for name in ("value", "H", "h", "E", "entropy", "gamma_grad", "step_weights_grad", "step_penalties_grad"):
        np.testing.assert_allclose(getattr(general, name), getattr(plain, name), rtol=1e-11, atol=1e-12)
    for name in ("step_posteriors", "begin", "end", "visits"):
        np.testing.assert_allclose(getattr(general, name), getattr(plain, name), atol=1e-12)
    for a, b in zip(general.path(), plain.path(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(plain.begin, corner(9, 7, 0, 0) == 0, atol=1e-13)


def test_a_plain_alignment_within_a_band_has_uses_of_its_steps():
    C = np.random.default_rng(8).random((12, 9))
    got = wl.align_costs(C, gamma=0.3, band=wl.SakoeChiba(2))
    assert got.step_posteriors[:, got.E == 0].max() == 0
    np.testing.assert_allclose(got.step_posteriors.sum(axis=0) + got.begin, got.E, atol=1e-12)
    np.testing.assert_allclose(got.visits, got.E.sum(axis=0), atol=1e-12)


def test_float32_costs_are_widened():
    C = np.random.default_rng(9).random((40, 30)).astype(np.float32)
    steps = [wl.Step(1, 0), wl.Step(1, 2), wl.Step(2, 1)]
    single, double = (wl.align_costs(costs, steps=steps) for costs in (C, C.astype(np.float64)))
    assert single.value == double.value
    assert single.H.dtype == np.float32
    np.testing.assert_array_equal(single.H, double.H.astype(np.float32))
    np.testing.assert_array_equal(single.step_posteriors, double.step_posteriors.astype(np.float32))


def test_probabilities_stay_exact_where_costs_are_huge():
    C = np.random.default_rng(10).random((300, 200)) * 4e9
    got = wl.align_costs(C, gamma=1.0, step_penalties=(0.0, 0.0, 1e-3))
    assert got.E[0, 0] == pytest.approx(1, abs=1e-12)
    assert got.begin.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_array_less(1 - 1e-12, got.E.sum(axis=1))
