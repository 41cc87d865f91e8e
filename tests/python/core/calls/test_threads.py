"""Threads change nothing but the time, and processes made by fork() get threads of their own."""

import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest
from oracles import costs

import warplens as wl
from warplens import _core

# A guard against hanging only; a child takes well under a second.
PATIENCE = 120


@pytest.fixture
def threads_restored():
    before = wl.get_num_threads()
    yield
    wl.set_num_threads(before)


def batch(dtype):
    generator = np.random.default_rng(3)
    pairs = [costs.sample("bce", *generator.integers(1, 150, 2), 5, seed, dtype) for seed in range(24)]
    return [x for x, _ in pairs], [y for _, y in pairs]


def all_bytes(alignments):
    names = ("h", "y_mod", "x_grad", "y_grad", "H", "E", "step_weights_grad")
    return [(a.value, a.entropy, *(getattr(a, name).tobytes() for name in names)) for a in alignments]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_bit_identical_for_any_number_of_threads(dtype):
    xs, ys = batch(dtype)
    one = all_bytes(wl.align_many(xs, ys, cost="bce", step_weights=(0.1, 1, 1), threads=1))
    for threads in (2, 3, None):
        many = wl.align_many(xs, ys, cost="bce", step_weights=(0.1, 1, 1), threads=threads)
        assert all_bytes(many) == one
    backwards = wl.align_many(xs[::-1], ys[::-1], cost="bce", step_weights=(0.1, 1, 1), threads=2)
    assert all_bytes(backwards)[::-1] == one


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_large_pair_is_bit_identical_too(dtype):
    x, y = costs.sample("mse", 700, 300, 8, dtype=dtype)
    assert all_bytes([wl.align(x, y, threads=1)]) == all_bytes([wl.align(x, y, threads=2)])


@pytest.mark.usefixtures("threads_restored")
def test_the_number_of_threads_can_be_set():
    for n in (1, 3, 256):
        wl.set_num_threads(n)
        assert wl.get_num_threads() == n
    for refused, error in (
        (0, ValueError),
        (-1, ValueError),
        (257, ValueError),
        (1.5, TypeError),
        ("2", TypeError),
    ):
        with pytest.raises(error, match=r"threads: .*(1|256)"):
            wl.set_num_threads(refused)
        with pytest.raises(error, match=r"threads: .*(1|256)"):
            wl.align([1.0, 2.0], [1.0], threads=refused)
    assert wl.get_num_threads() == 256
    with pytest.raises(ValueError, match="from 1 to 256"):
        _core.set_num_threads(257)


def run(code, **environment):
    """Runs code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(("value", "expected"), [("3", 3), ("", len(os.sched_getaffinity(0)))])
def test_the_environment_sets_the_number_of_threads(value, expected):
    finished = run("import warplens as wl; print(wl.get_num_threads())", WARPLENS_NUM_THREADS=value)
    assert finished.stdout.strip() == str(expected)


@pytest.mark.parametrize("value", ["0", "many", "-2", "1000"])
def test_a_bad_environment_is_an_error_that_names_it(value):
    finished = run("import warplens as wl; wl.align([1.0, 2.0], [1.0])", WARPLENS_NUM_THREADS=value)
    assert finished.returncode == 1
    assert "ValueError: WARPLENS_NUM_THREADS: is" in finished.stderr
    assert "from 1 to 256" in finished.stderr


FORKING = """
import os, signal, sys
import numpy as np
import warplens as wl

def work():
    generator = np.random.default_rng(0)
    xs = [generator.normal(size=(50 + i, 3)) for i in range(16)]
    return [a.value for a in wl.align_many(xs, xs[::-1], threads=2)]

def forked(inner):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs is ended, and the parent sees it
        os._exit(0 if inner() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

expected = work()
print(forked(lambda: work() == expected))
print(forked(lambda: work() == expected and forked(lambda: work() == expected) == 0))
assert work() == expected
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() on this system")
def test_a_forked_child_aligns_after_its_parent_did():
    """A child, a grandchild, and the parent once more; each has to give the same values."""
    finished = run(FORKING)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == ["0", "0"]


def _values(seed):
    x, y = costs.sample("mse", 40, 30, 3, seed)
    return [a.value for a in wl.align_many([x] * 8, [y] * 8, threads=2)]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes(method):
    expected = [_values(seed) for seed in range(4)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map_async(_values, range(4)).get(timeout=PATIENCE) == expected


def _bits(call):
    """The bytes of the results of one of several calls, each of another kind, in either precision."""
    kind, dtype, seed = call
    x, y = costs.sample("bce", 70, 50, 5, seed, dtype)
    long, other = costs.sample("mse", 2100, 1001, 2, seed, dtype)
    xs = [x[: 10 + 7 * k] for k in range(8)]
    results = {
        "many": lambda: [each for a in all_bytes(wl.align_many(xs, [y] * 8, cost="bce")) for each in a],
        "long": lambda: [wl.soft_dtw(long, other), wl.align(long, other).h],
        "costs": lambda: [wl.align_costs(x @ y.T).H],
        "cdist": lambda: [wl.cdist(xs), wl.cdist(xs, [y], cost="bce", gamma=0.1)],
        "barycenter": lambda: [wl.barycenter(xs, max_iterations=3)],
        "divergence": lambda: [wl.divergence(x, y), wl.hard_dtw(x, y).value],
    }[kind]()
    return [np.asarray(result).tobytes() if not isinstance(result, bytes) else result for result in results]


def test_calls_from_several_threads_at_once():
    """Calls of every kind and in both precisions; those beside them change no bit."""
    from concurrent.futures import ThreadPoolExecutor

    kinds = ("many", "long", "costs", "cdist", "barycenter", "divergence")
    calls = [(kind, dtype, seed) for seed in range(2) for kind in kinds for dtype in (np.float32, np.float64)]
    expected = [_bits(call) for call in calls]
    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(_bits, calls, timeout=PATIENCE)) == expected
        assert list(pool.map(_bits, calls[::-1], timeout=PATIENCE)) == expected[::-1]
