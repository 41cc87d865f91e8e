"""The memory of an analysis as estimated, against its peak as measured."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from warplens.corpus.memory_limit import bytes_to_analyze, bytes_to_sweep
from warplens.io import Item

pytest.importorskip("PIL")

SCRATCH = 48 << 20
"""Of the kernels: bounded, whatever the size of the item."""


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="no peak of memory to reset here")
@pytest.mark.parametrize(
    ("work", "dtype", "horizontal"),
    [
        ("analyze", "float32", 1.0),
        ("analyze", "float64", 0.0),
        ("keep", "float32", 0.0),
        ("keep", "float64", 1.0),
        ("sweep", "float32", 0.0),
        ("sweep", "float64", 1.0),
    ],
)
def test_the_peak_is_at_most_the_estimate_and_not_far_less(work, dtype, horizontal):
    script = Path(__file__).with_name("peak_of_analysis.py")
    words = [sys.executable, script, work, dtype, str(horizontal)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    held, planned = map(int, run.stdout.split())
    assert held < planned + SCRATCH
    assert planned < 2 * held


def test_weights_that_count_as_nothing_are_nothing_here_too():
    item = Item(np.full((50, 4), 0.5), np.ones((20, 4)), cost="bce")
    for needed in (bytes_to_sweep, partial(bytes_to_analyze, n_gammas=2)):
        assert needed(item, step_weights=(1e-22, 1, 1)) == needed(item, step_weights=(0, 1, 1))
        assert needed(item, step_weights=(1e-22, 1, 1)) > needed(item, step_weights=(1e-19, 1, 1))
