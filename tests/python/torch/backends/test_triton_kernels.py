"""The Triton backend: its kernels interpreted, its errors."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest
from batches_of_pairs import random_batch
from triton_present import needs_triton

import warplens.torch as wlt


@pytest.mark.slow
@needs_triton
def test_interpreted_kernels():
    tests = pathlib.Path(__file__).with_name("interpreted_triton.py")
    # The interpreter computes what a `where` then leaves out: 0 times infinity.
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore::RuntimeWarning:triton.runtime.interpreter"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, tests],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stdout[-3000:]} {done.stderr[-3000:]}"
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 30
    assert "skipped" not in re.search(r"\d+ passed.*", done.stdout)[0]


def test_a_device_that_triton_does_not_serve_is_named(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    x, y = random_batch("mse")
    for call in (wlt.soft_dtw_loss, wlt.align):
        with pytest.raises(ValueError, match=r"backend: 'triton' runs on NVIDIA devices.* on cpu"):
            call(x, y, backend="triton")


def test_missing_triton_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match="needs the package triton, which comes with torch for CUDA on Linux"
    ):
        wlt.soft_dtw_loss(*random_batch("mse"), backend="triton")


def test_the_package_imports_no_triton():
    code = "import sys, warplens.torch; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "warplens.torch.backends.triton.backend" in done.stdout.split()
    assert "triton" not in done.stdout.split()
