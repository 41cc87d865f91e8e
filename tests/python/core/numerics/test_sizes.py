"""Sizes beyond what can be counted or held are errors, and nothing is allocated before they are found."""

import subprocess
import sys

import numpy as np
import pytest

import warplens as wl
from warplens import _core


def endless(*shape, dtype=np.float32):
    """An array of any shape that occupies a single entry."""
    return np.broadcast_to(np.zeros((), dtype), shape)


@pytest.mark.parametrize("call", [wl.align, wl.soft_dtw, wl.hard_dtw])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
def test_more_cells_than_can_be_counted(call, dtype):
    long = endless(2**31, 1, dtype=dtype)
    with pytest.raises(ValueError, match=r"^x, y: N\*M = 2147483648\*2147483648 cells overflow; shorten"):
        call(long, long)


def test_more_costs_than_can_be_counted():
    with pytest.raises(ValueError, match=r"^C: N\*M = 2147483648\*268435456 cells overflow"):
        wl.align_costs(endless(2**31, 2**28))


def test_one_such_pair_of_many_fails_alone():
    x = np.zeros((3, 1), np.float32)
    long = endless(2**31, 1)
    first, second = wl.align_many([x, long], [x, long], errors="return")
    assert first.value == wl.align(x, x).value
    assert isinstance(second, ValueError)


def test_an_alignment_beyond_any_memory_is_a_memory_error():
    frames = np.zeros((2**22, 1))
    with pytest.raises(MemoryError):
        _core.align_ragged(
            [frames],
            [frames],
            cost="mse",
            gamma=1.0,
            step_weights=(1.0, 1.0, 1.0),
            band=None,
            feature_weights=None,
            pos_weight=None,
            outputs=["H"],
            threads=1,
        )


LIMITED = """
import resource
import numpy as np
import warplens as wl
x = np.zeros((20_000, 1)); y = np.zeros((20_000, 1))
wl.align(x[:10], y[:10])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (8 << 20),) * 2)
try:
    wl.align(x, y, gamma=0.0)
except MemoryError as error:
    print("MemoryError", error)
print(round(wl.align(x[:1], y[:1]).value))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are set by a Linux call")
def test_scratch_that_cannot_be_had_does_not_end_the_process():
    run = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("MemoryError")
    assert run.stdout.split()[-1] == "0"
