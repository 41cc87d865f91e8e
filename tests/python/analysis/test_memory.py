"""What an analysis is said to hold beforehand, against what it is seen to hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
def test_no_more_is_held_than_was_told_and_not_far_less(work, dtype, horizontal):
    script = Path(__file__).with_name("peak_of_analysis.py")
    words = [sys.executable, script, work, dtype, str(horizontal)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    held, planned = map(int, run.stdout.split())
    assert held < planned + SCRATCH
    assert planned < 2 * held
