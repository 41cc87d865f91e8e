"""Use an installed wheel: every lane set of the machine gives what the row-wise kernel gives.

Run as a script by the interpreter into which the wheel is installed. It needs NumPy alone.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import warplens as wl
from warplens import _core


def outputs() -> list[np.ndarray]:
    """Align in both precisions, and by CTC."""
    generator = np.random.default_rng(0)
    x, y = generator.random((300, 12)), generator.integers(0, 2, (40, 12)).astype(float)
    scores = np.log(generator.dirichlet(np.ones(9), 200))
    found = []
    for dtype in (np.float32, np.float64):
        alignment = wl.align(
            x.astype(dtype), y.astype(dtype), cost="bce", gamma=0.5, step_weights=(0.1, 1, 1)
        )
        found += [
            np.array([alignment.value], dtype),
            alignment.h,
            alignment.y_mod,
            alignment.H,
            alignment.x_grad,
        ]
        ctc = wl.ctc(scores.astype(dtype), generator.integers(1, 9, 30))
        found += [np.array([ctc.value], dtype), ctc.y_mod]
    return found


def main() -> None:
    """Compare the sets, each in a process of its own."""
    if len(sys.argv) > 1:
        np.savez(sys.argv[1], *outputs())
        return

    with tempfile.TemporaryDirectory() as folder:
        results = {}
        for name in ["off", *_core.available_instruction_sets()]:
            file = str(Path(folder) / f"{name}.npz")
            subprocess.run(
                [sys.executable, __file__, file], env=os.environ | {"WARPLENS_SIMD": name}, check=True
            )
            with np.load(file) as arrays:
                results[name] = list(arrays.values())
    for name, found in results.items():
        for mine, rows in zip(found, results["off"], strict=True):
            tolerance = 3e-5 if mine.dtype == np.float32 else 1e-11
            np.testing.assert_allclose(mine, rows, rtol=tolerance, atol=tolerance, err_msg=name)
    print(f"warplens {wl.__version__}: {', '.join(results)} agree; by default {_core.instruction_set()}")


if __name__ == "__main__":
    main()
