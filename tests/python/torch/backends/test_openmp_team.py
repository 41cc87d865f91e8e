"""The core on torch's OpenMP threads: the same bits on any team, in any process, inside any region."""

import ctypes
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
from batches_of_pairs import random_batch

import warplens as wl
import warplens.torch as wlt
from warplens import _core
from warplens.torch.backends import openmp

pytestmark = pytest.mark.skipif(openmp.gomp_parallel() is None, reason="torch without OpenMP's GOMP_parallel")

# A guard against hanging only.
PATIENCE = 120


@pytest.fixture(autouse=True)
def torch_s_team(monkeypatch):
    monkeypatch.delenv("WARPLENS_OPENMP", raising=False)
    openmp.share_team()
    yield
    monkeypatch.undo()
    openmp.share_team()


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def step(B, N, M, cost="mse", dtype=torch.float32):
    """The bytes of values, gradients and alignments."""
    x, y = random_batch(cost, B=B, N=N, M=M, dtype=dtype)
    values = wlt.soft_dtw_loss(x.requires_grad_(), y, cost=cost, gamma=0.3, reduction="none")
    values.sum().backward()
    alignment = wlt.align(x, y, cost=cost, gamma=0.3)
    return [tensor.detach().numpy().tobytes() for tensor in (values, x.grad, alignment.h, alignment.H)]


# Many small pairs, one that threads share, and fewer pairs than threads.
SIZES = [(12, 60, 40), (1, 2100, 1001), (2, 300, 80)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_either_team_gives_the_same_bits(size, threads, two_threads):
    torch.set_num_threads(1)
    alone = step(*size)
    torch.set_num_threads(threads)  # above the number of cores too
    assert _core.uses_openmp_team()
    on_openmp = step(*size)
    _core.use_openmp_team(None)
    assert not _core.uses_openmp_team()
    assert step(*size) == on_openmp == alone


def test_it_says_whose_threads_they_are(monkeypatch):
    assert openmp.describe_team().startswith("torch's OpenMP (lib")
    monkeypatch.setenv("WARPLENS_OPENMP", "off")
    openmp.share_team()
    assert openmp.describe_team() == "own pool"
    monkeypatch.setenv("WARPLENS_OPENMP", "")
    openmp.share_team()
    assert _core.uses_openmp_team()
    monkeypatch.setenv("WARPLENS_OPENMP", "none")
    with pytest.raises(ValueError, match="WARPLENS_OPENMP: is 'none'; it takes 'on' or 'off'"):
        openmp.share_team()


@pytest.mark.parametrize("parallel_info", ["ATen parallel backend: native thread pool", ""])
def test_torch_without_openmp_leaves_the_own_pool(monkeypatch, parallel_info):
    monkeypatch.setattr(torch.__config__, "parallel_info", lambda: parallel_info)
    openmp.share_team()
    assert not _core.uses_openmp_team()
    assert openmp.describe_team() == "own pool"


def test_a_library_without_the_function_leaves_the_own_pool(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name, mode: object())
    openmp.share_team()
    assert not _core.uses_openmp_team()


def run(code, **environment):
    """Run code in a process of its own, which finds the function `work` of values of the core."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", WORK + code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


WORK = """
import ctypes, multiprocessing, os, signal
from pathlib import Path
import numpy as np, torch
import warplens as wl, warplens.torch as wlt
from warplens import _core
from warplens.torch.backends import openmp

random = np.random.default_rng(0)
xs = [random.normal(size=(50 + 10 * i, 3)).astype(np.float32) for i in range(16)]
long = random.normal(size=(2, 1500, 4)).astype(np.float32)

def work(threads=2):
    many = [a.value for a in wl.align_many(xs, xs[::-1], threads=threads)]
    return [*many, wl.align(*long, threads=threads).h.tobytes()]

def own_threads():
    return sum("warplens-" in comm.read_text() for comm in Path("/proc/self/task").glob("*/comm"))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc")
@pytest.mark.parametrize(("switch", "own"), [("on", "0"), ("off", "2")])
def test_numpy_callers_compute_on_torch_s_threads_too(switch, own):
    finished = run("work(); print(own_threads())", WARPLENS_OPENMP=switch)
    assert (finished.stdout.strip(), finished.returncode) == (own, 0), finished.stderr


FORKING = """
def forked(inner):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs is ended, and the parent sees it
        os._exit(0 if inner() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def child_works():
    return not _core.uses_openmp_team() and work() == expected

def worker(_):
    return child_works()

expected = work()
assert _core.uses_openmp_team()
assert forked(child_works) == 0
assert forked(lambda: child_works() and forked(child_works) == 0) == 0
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert all(pool.map_async(worker, range(4)).get(timeout=60))
assert _core.uses_openmp_team() and work() == expected
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() on this system")
def test_a_forked_child_uses_its_own_pool():
    """A child, a grandchild, workers of a pool, and the parent once more."""
    finished = run(FORKING)
    assert finished.returncode == 0, finished.stderr


NESTED = """
assert _core.uses_openmp_team()
expected, results = work(), []

@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def part(_):
    results.append([work(), work(threads=5)])

openmp.gomp_parallel()(part, None, 3, 0)  # ctypes lets go of the interpreter
assert len(results) == {members}, len(results)
assert all(result == [expected, expected] for result in results)
"""


@pytest.mark.parametrize("levels", ["1", "3"])
def test_calls_inside_a_parallel_region(levels):
    """By default each gets its own thread alone, with nested regions a team of its own."""
    finished = run(NESTED.format(members=3), OMP_MAX_ACTIVE_LEVELS=levels)
    assert finished.returncode == 0, finished.stderr


def test_fewer_threads_than_asked():
    finished = run(NESTED.format(members=1), OMP_THREAD_LIMIT="1")
    assert finished.returncode == 0, finished.stderr


def sets_step(dtype):
    """The bytes of a matrix of all pairs, its gradient, a divergence's and a barycenter."""
    x, y = random_batch("mse", B=9, N=40, M=30, dtype=dtype)
    matrix = wlt.cdist(x.requires_grad_())
    debiased = wlt.soft_dtw_loss(x, y, debias=True)
    (gradient,) = torch.autograd.grad(matrix.sum() + debiased, x)
    mean = wlt.barycenter(y, max_iterations=3)
    return [tensor.detach().numpy().tobytes() for tensor in (matrix, debiased, gradient, mean)]


@pytest.mark.parametrize("is_openmp", [True, False])
def test_calls_from_several_threads_at_once(is_openmp, two_threads):
    """Calls of several kinds and in both precisions, on torch's threads or the pool; none changes a bit."""
    if not is_openmp:
        _core.use_openmp_team(None)
    calls = [partial(step, *size) for size in SIZES]
    calls += [partial(step, 3, 200, 100, dtype=torch.float64), partial(step, 1, 8, 8)]
    calls += [partial(sets_step, dtype) for dtype in (torch.float32, torch.float64)]
    calls *= 2
    expected = [call() for call in calls]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda call: call(), calls, timeout=PATIENCE)) == expected


def test_the_threads_of_a_call_are_as_asked():
    """Torch's number of threads is neither read nor changed by callers that name one."""
    before = torch.get_num_threads()
    x, y = (side[0].numpy() for side in random_batch("mse", B=1, N=2100, M=1001, dtype=torch.float32))
    results = [wl.align(x, y, threads=threads).h.tobytes() for threads in (1, 2, 256)]
    assert len(set(results)) == 1
    assert torch.get_num_threads() == before
