"""The Triton backend: its kernels interpreted, its memory, its errors."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import weakref

import pytest
import torch
from batches_of_pairs import random_batch
from operations_watched import Watched
from torch.utils._python_dispatch import TorchDispatchMode

import warplens as wl
import warplens.torch as wlt
from warplens.torch import settings as settings_module
from warplens.torch import triton_backend
from warplens.torch.batches import Pairs
from warplens.torch.settings import as_local_cost, as_recursion_settings
from warplens.torch.triton_backend import solve_pairs
from warplens.torch.triton_factors import bytes_of_factors
from warplens.torch.triton_plan import plan

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None or os.environ.get("TRITON_INTERPRET") == "1",
    reason="Triton is not here, or interprets",
)


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


@pytest.mark.parametrize("lines", [1, 2, 16, 17, 100, 1000])
def test_segments_cut_the_lines(lines):
    for pairs, length in ((1, lines), (32, 2 * lines), (1, 100_000)):
        sizes = plan(pairs, lines, length)
        covered = [line for first, count in sizes.bounds() for line in range(first, first + count)]
        assert covered == list(range(lines))
        assert len(list(sizes.bounds())) == sizes.segments
        assert sizes.block & (sizes.block - 1) == 0
        assert sizes.block >= min(length, 512)
        assert 32 <= sizes.block <= 512  # what is compiled ahead of time, and few kernels for many lengths


def test_a_pair_of_100_000_by_5_000_frames_fits_in_a_gigabyte():
    assert plan(1, 5_000, 100_000).bytes() + bytes_of_factors(1, 5_000, 100_000, 88) < 1e9


class PeakOfMemory(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make, while they live."""

    def __init__(self, *inputs):
        super().__init__()
        self.now = self.peak = 0
        self._sizes = {tensor.untyped_storage()._cdata: 0 for tensor in inputs}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage):
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._free, key)

    def _free(self, key):
        self.now -= self._sizes.pop(key)


class NoKernel:
    """Stands for a kernel, which allocates nothing."""

    def __getitem__(self, grid):
        return lambda *arguments, **options: None


@pytest.fixture
def any_device(monkeypatch):
    for module in (triton_backend, settings_module):
        monkeypatch.setattr(module, "check_triton", lambda device: None)


@pytest.fixture
def no_kernels(monkeypatch, any_device):
    from warplens.torch import triton_sweeps

    for kernel in ("accumulate_lines", "visit_lines"):
        monkeypatch.setattr(triton_sweeps, kernel, NoKernel())


@needs_triton
@pytest.mark.parametrize("cost", ["mse", "bce", "ce_logits"])
@pytest.mark.parametrize("wanted", [(True, False, False, False), (True, True, True, True)])
def test_memory_is_that_of_the_plan(wanted, cost, no_kernels):
    x, y = random_batch(cost, 32, 512, 512, 64, dtype=torch.float32)
    local_cost = as_local_cost(cost, None, None, "sum", 64)
    settings = as_recursion_settings(1.0, (1.0, 1.0, 1.0), None)
    with PeakOfMemory(x, y) as memory:
        found = solve_pairs(Pairs(x, y, None, None, False), local_cost, settings, wanted)
    assert found[1][0].shape == x.shape
    planned = plan(32, 512, 512).bytes() + bytes_of_factors(32, 512, 512, 64)
    assert 0.99 * planned < memory.peak < 1.02 * planned
    assert memory.peak < 40e6


@needs_triton
@pytest.mark.parametrize(("cost", "band"), [("bce_logits", None), ("mse", wl.SakoeChiba(3)), ("l1", None)])
@pytest.mark.parametrize("frames", [(6, 4), (4, 6)])
def test_no_value_is_read_and_nothing_waits_for_the_device(cost, band, frames, no_kernels):
    x, y = (torch.empty(2, length, 3, device="meta", requires_grad=True) for length in frames)
    lengths = torch.empty(2, dtype=torch.int64, device="meta")
    gamma, weights = torch.tensor(0.5, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    settings = {"cost": cost, "band": band, "gamma": gamma, "step_weights": weights, "backend": "triton"}
    with Watched() as watched:
        wlt.soft_dtw_loss(x, y, lengths, lengths, **settings).backward()
        H = wlt.align(x, y, lengths, lengths, **settings).H
    assert (x.grad.device.type, H.device.type) == ("meta", "meta")
    assert watched.waiting == []


@needs_triton
def test_a_batch_of_any_size_takes_few_operations(no_kernels):
    counts = []
    for pairs in (32, 2048):
        x, y = (torch.empty(pairs, length, 88, device="meta", requires_grad=True) for length in (800, 100))
        with Watched() as watched:
            wlt.soft_dtw_loss(x, y, backend="triton").backward()
        counts.append(watched.work)
    assert counts[1] < 1.5 * counts[0] < 1500


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
