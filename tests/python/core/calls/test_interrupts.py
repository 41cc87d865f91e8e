"""A signal ends a long call with its exception, and the threads serve the next call."""

import numpy as np
import pytest

import warplens as wl

X = np.random.default_rng(0).random((1000, 1))
LONG = np.random.default_rng(1).random((60000, 1))

# Each takes a minute or hours to its end; the series of a list are one array.
LONG_CALLS = {
    "cdist": lambda threads: wl.cdist([X] * 2000, threads=threads),
    "cdist of two lists": lambda threads: wl.cdist([X] * 50, [X] * 1000, threads=threads),
    "barycenter": lambda threads: wl.barycenter([X] * 1000, tolerance=0, threads=threads),
    "align_many": lambda threads: wl.align_many([X] * 3000, [X] * 3000, threads=threads),
    "one pair, row by row": lambda threads: wl.soft_dtw(
        LONG, LONG, band=wl.SakoeChiba(30000), step_weights=(0, 1, 1), threads=threads
    ),
    "a pair that the other thread has": lambda threads: wl.align_many(
        [LONG, X], [LONG, X], band=wl.SakoeChiba(30000), threads=threads
    ),
}


@pytest.mark.parametrize(
    ("name", "threads"), [*((name, 2) for name in LONG_CALLS), ("align_many", 1), ("cdist", 1)]
)
def test_a_signal_ends_a_long_call(name, threads, ring):
    xs = [X[:40], X[40:90], X[:7]]
    before = wl.cdist(xs, threads=threads)

    def interrupted():
        ring()
        LONG_CALLS[name](threads)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    np.testing.assert_array_equal(wl.cdist(xs, threads=threads), before)
    many = wl.align_many(xs, xs, threads=threads)
    assert [each.value for each in many] == [wl.soft_dtw(x, x) for x in xs]
