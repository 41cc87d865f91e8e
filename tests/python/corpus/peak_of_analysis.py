"""Print how far the memory of this process rises over the analysis of one item, and the estimate.

Usage: python peak_of_analysis.py WORK DTYPE HORIZONTAL, WORK one of analyze, keep, sweep.
"""

import sys
from pathlib import Path

import numpy as np

from warplens.analysis.item_analysis import analyze_item
from warplens.analysis.sweep.item_sweep import sweep_item
from warplens.corpus.memory_limit import bytes_to_analyze, bytes_to_sweep
from warplens.io import Item

WORK, DTYPE, HORIZONTAL = sys.argv[1], np.dtype(sys.argv[2]), float(sys.argv[3])
GAMMAS = (0.0, 0.01, 0.1)
N_FRAMES, N_TARGETS, N_FEATURES = 3600, 2400, 3


def item_of(n_frames, n_targets):
    rng = np.random.default_rng(0)
    weak = np.eye(N_FEATURES)[np.arange(n_targets) % N_FEATURES]
    return Item(rng.random((n_frames, N_FEATURES)).astype(DTYPE), weak.astype(DTYPE))


def work(item):
    settings = {"gammas": GAMMAS, "cost": "mse", "step_weights": (HORIZONTAL, 1.0, 1.0)}
    return (
        sweep_item(item, **settings)
        if WORK == "sweep"
        else analyze_item(item, **settings, keep_alignment=KEEP)
    )


def from_status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


KEEP = WORK == "keep"
work(item_of(20, 10))  # what is loaded once
item = item_of(N_FRAMES, N_TARGETS)
Path("/proc/self/clear_refs").write_text("5")
before = from_status("VmRSS")
work(item)
weights = {"step_weights": (HORIZONTAL, 1.0, 1.0)}
planned = (
    bytes_to_sweep(item, **weights)
    if WORK == "sweep"
    else bytes_to_analyze(item, n_gammas=len(GAMMAS), keep_alignment=KEEP, **weights)
)
print(from_status("VmHWM") - before, planned)
