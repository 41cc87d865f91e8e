"""Every instruction set that the machine has gives the numbers of float64."""

import os
import subprocess
import sys

import pytest

from warplens import _core

SETS = [*_core.available_instruction_sets(), "off"]

CHECK = """
import numpy as np, sys
import warplens as wl
from warplens import _core

assert _core.instruction_set() == sys.argv[1], _core.instruction_set()
rng = np.random.default_rng(3)
# features: one (by lanes), twelve (by products), 88 with few ones (by sums)
for n, m, d, cost in [(1, 1, 1, "mse"), (50, 41, 1, "mse"), (33, 66, 12, "sqeuclidean"), (75, 37, 88, "bce")]:
    x = rng.uniform(0.01, 0.99, (n, d)).astype(np.float32)
    y = (rng.random((m, d)) < 0.05).astype(np.float32)
    for weights in [(1, 1, 1), (0.1, 1, 1), (1, 0.5, 2)]:
        for gamma in (0.05, 1.0, 30.0):
            options = dict(cost=cost, gamma=gamma, step_weights=weights)
            got = wl.align(x, y, **options)
            truth = wl.align(x.astype(float), y.astype(float), **options)
            assert abs(got.value - truth.value) <= 2e-6 * (abs(truth.value) + gamma * (n + m))
            for name in ("h", "H", "E", "y_mod"):
                worst = np.abs(getattr(got, name) - getattr(truth, name)).max()
                size = max(1, np.abs(getattr(truth, name)).max())
                assert worst <= 3e-5 * size, (name, worst, options, n, m, d)
            worst = np.linalg.norm(got.x_grad - truth.x_grad) / np.linalg.norm(truth.x_grad)
            assert worst <= 5e-5, (worst, options, n, m, d)
            value = wl.soft_dtw(x, y, **options)
            assert abs(value - got.value) <= 1e-9 * max(1, abs(value))
"""


@pytest.mark.parametrize("name", SETS)
def test_every_instruction_set_agrees_with_float64(name):
    environment = {**os.environ, "WARPLENS_SIMD": name}
    command = [sys.executable, "-c", CHECK, name]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr


def test_the_widest_set_is_taken_unasked():
    environment = {name: value for name, value in os.environ.items() if name != "WARPLENS_SIMD"}
    command = [sys.executable, "-c", "from warplens import _core; print(_core.instruction_set())"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    widest = next((name for name in ("avx512", "avx2") if name in SETS), "off")
    assert run.stdout.strip() == widest
