"""Each instruction set of the machine gives, in both precisions, the numbers of the row-wise kernel."""

import os
import subprocess
import sys

import pytest

from warplens import _core

SETS = _core.available_instruction_sets()

CHECK = """
import numpy as np, sys
import warplens as wl
from warplens import _core

name, file = sys.argv[1:]
assert _core.instruction_set() == name, _core.instruction_set()
expected = np.load(file) if name != "off" else {}
NAMES = ("value", "h", "H", "E", "x_grad", "y_grad", "y_mod")
results = {}
rng = np.random.default_rng(3)
# features: one (by lanes), twelve (by products), 88 with few ones (by sums); distances by differences
CASES = [
    (1, 1, 1, "mse"), (50, 41, 1, "mse"), (33, 66, 12, "sqeuclidean"), (75, 37, 88, "bce"),
    (40, 55, 19, "ce_logits"), (40, 55, 19, "cosine"), (50, 41, 1, "euclidean"), (33, 66, 12, "euclidean"),
    (75, 37, 88, "l1"),
]
for n, m, d, cost in CASES:
    names = NAMES[:-1] if cost in ("euclidean", "l1") else NAMES
    x = rng.uniform(0.01, 0.99, (n, d)).astype(np.float32)
    y = (rng.random((m, d)) < 0.05).astype(np.float32)
    for weights in [(1, 1, 1), (0.1, 1, 1), (1, 0.5, 2)]:
        for gamma in (0.05, 1.0, 30.0):
            options = dict(cost=cost, gamma=gamma, step_weights=weights)
            case = f"{cost} {n} {m} {d} {weights} {gamma}"
            wide = wl.align(x.astype(float), y.astype(float), **options)
            for result in names:
                results[f"{case} {result}"] = getattr(wide, result)
            if name == "off":
                continue
            truth = {result: expected[f"{case} {result}"] for result in names}
            narrow = wl.align(x, y, **options)
            tolerances = [(narrow, 2e-6, 3e-5, 5e-5), (wide, 1e-13, 1e-11, 1e-11)]
            for got, of_value, of_rows, of_gradient in tolerances:
                where = (options, n, m, d, got.h.dtype)
                size = abs(truth["value"]) + gamma * (n + m)
                assert abs(got.value - truth["value"]) <= of_value * size, where
                for result in ("h", "H", "E", *names[6:]):
                    worst = np.abs(getattr(got, result) - truth[result]).max()
                    size = max(1, np.abs(truth[result]).max())
                    assert worst <= of_rows * size, (result, worst, where)
                for result in ("x_grad", "y_grad"):
                    size = np.linalg.norm(truth[result])
                    worst = np.linalg.norm(getattr(got, result) - truth[result]) / size
                    assert worst <= of_gradient, (result, worst, where)
            value = wl.soft_dtw(x, y, **options)
            assert abs(value - narrow.value) <= 1e-9 * max(1, abs(value))
# Hard DTW, by sweeps of its own
for n, m, d, cost in [(1, 1, 1, "mse"), (50, 41, 1, "mse"), (33, 66, 12, "sqeuclidean"), (75, 37, 88, "bce")]:
    x = rng.uniform(0.01, 0.99, (n, d)).astype(np.float32)
    y = rng.uniform(0.01, 0.99, (m, d)).astype(np.float32) * (rng.random((m, d)) < (0.1 if d == 88 else 1))
    for weights in [(1, 1, 1), (0.1, 1, 1), (0, 0.5, 2)]:
        for band in (None, wl.SakoeChiba(12)):
            options = dict(cost=cost, gamma=0, step_weights=weights, band=band)
            for frames in [(x, y), (x.astype(float), y.astype(float))]:
                got = wl.align(*frames, **options)
                found = {result: getattr(got, result) for result in (*NAMES, "y_grad", "step_weights_grad")}
                found["path"] = got.path().indices
                for result, array in found.items():
                    case = f"hard {n} {m} {d} {weights} {band} {frames[0].dtype} {result}"
                    results[case] = array
                    if name != "off":
                        rounding = 2e-7 if np.asarray(array).dtype == np.float32 else 1e-11
                        size = max(1, np.abs(expected[case]).max())
                        assert np.abs(array - expected[case]).max() <= rounding * size, case
if name == "off":
    np.savez(file, **results)
"""


def check(name, file):
    environment = {**os.environ, "WARPLENS_SIMD": name}
    command = [sys.executable, "-c", CHECK, name, str(file)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Results of the row-wise kernel in a file."""
    file = tmp_path_factory.mktemp("truth") / "off.npz"
    check("off", file)
    return file


@pytest.mark.parametrize("name", SETS)
def test_forced(name, truth):
    check(name, truth)


def test_the_widest_set_is_taken_unasked():
    environment = {name: value for name, value in os.environ.items() if name != "WARPLENS_SIMD"}
    command = [sys.executable, "-c", "from warplens import _core; print(_core.instruction_set())"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    widest = next((name for name in ("avx512", "avx2") if name in SETS), "off")
    assert run.stdout.strip() == widest
