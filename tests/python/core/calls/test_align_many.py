"""Many ragged pairs: each as if alone, in order, failures in their own place."""

import numpy as np
import pytest
from oracles import costs

import warplens as wl


def ragged(cost="mse", count=30, dtype=np.float64):
    generator = np.random.default_rng(7)
    shapes = generator.integers(1, 60, (count, 2))
    pairs = [costs.sample(cost, N, M, 4, seed, dtype) for seed, (N, M) in enumerate(shapes)]
    return [x for x, _ in pairs], [y for _, y in pairs]


@pytest.mark.parametrize("cost", costs.COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_pair_is_as_if_alone(cost, dtype):
    xs, ys = ragged(cost, dtype=dtype)
    settings = {"cost": cost, "gamma": 0.3, "step_weights": (0.1, 1, 1)}
    many = wl.align_many(xs, ys, **settings)
    assert len(many) == len(xs)
    for x, y, alignment in zip(xs, ys, many, strict=True):
        alone = wl.align(x, y, **settings)
        assert alignment.shape == (len(x), len(y))
        assert alignment.value == alone.value
        np.testing.assert_array_equal(alignment.h, alone.h)
        np.testing.assert_array_equal(alignment.x_grad, alone.x_grad)
        np.testing.assert_array_equal(alignment.H, alone.H)


def test_dtypes_may_differ_from_pair_to_pair():
    xs, ys = ragged(count=6)
    xs = [x.astype(np.float32) if i % 2 else x for i, x in enumerate(xs)]
    ys = [y.astype(np.float32) if i % 3 else y for i, y in enumerate(ys)]
    for x, y, alignment in zip(xs, ys, wl.align_many(xs, ys), strict=True):
        assert alignment.h.dtype == np.result_type(x, y)
        assert alignment.value == wl.align(x, y).value
    assert {a.h.dtype.name for a in wl.align_many(xs, ys, dtype="float32")} == {"float32"}


def test_a_failed_pair_costs_no_other_its_result():
    xs, ys = ragged(count=8)
    xs[2] = xs[2] * np.nan
    ys[5] = ys[5][:, :3]
    xs[6] = np.zeros((0, 4))
    returned = wl.align_many(xs, ys, errors="return")
    assert [i for i, each in enumerate(returned) if isinstance(each, Exception)] == [2, 5, 6]
    assert "xs[2]: is nan at index (0, 0)" in str(returned[2])
    assert "ys[5]: has D = 3" in str(returned[5])
    assert "xs[6]: is an empty sequence" in str(returned[6])
    for i in (0, 1, 3, 4, 7):
        assert returned[i].value == wl.align(xs[i], ys[i]).value
    with pytest.raises(
        ValueError, match=r"3 of 8 pairs failed.*pair 2: xs\[2\].*pair 5: ys\[5\].*pair 6: xs\[6\]"
    ):
        wl.align_many(xs, ys)


def test_a_band_without_path_fails_only_where_it_is_too_narrow():
    xs, ys = [np.zeros((20, 1)), np.zeros((9, 1))], [np.zeros((3, 1)), np.zeros((9, 1))]
    first, second = wl.align_many(xs, ys, band=wl.SakoeChiba(1), errors="return")
    assert isinstance(first, wl.NoPathError)
    assert second.value == wl.align(xs[1], ys[1], band=wl.SakoeChiba(1)).value


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_counts_up_to_all(threads):
    xs, ys = ragged(count=40)
    xs[3] = xs[3] * np.inf
    calls = []
    reported = wl.align_many(
        xs, ys, errors="return", threads=threads, progress=lambda done, total: calls.append((done, total))
    )
    assert {total for _, total in calls} == {40}
    done = [each for each, _ in calls]
    assert done == sorted(set(done))
    assert done[-1] == 40
    silent = wl.align_many(xs, ys, errors="return", threads=threads)
    assert [a.value for a in reported if not isinstance(a, Exception)] == [
        a.value for a in silent if not isinstance(a, Exception)
    ]


def test_an_error_in_progress_reaches_the_caller():
    xs, ys = ragged(count=3)

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wl.align_many(xs, ys, progress=interrupt)


def test_callable_costs_are_those_of_their_names():
    def manhattan(x, y):
        return np.abs(x[:, None] - y[None]).sum(axis=2)

    xs, ys = ragged(count=5)
    for a, b in zip(wl.align_many(xs, ys, cost=manhattan), wl.align_many(xs, ys, cost="l1"), strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-12)
        np.testing.assert_allclose(a.h, b.h, atol=1e-12)


def test_no_pairs_give_no_alignments():
    assert wl.align_many([], []) == []
