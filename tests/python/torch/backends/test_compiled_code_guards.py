"""What compilers, Triton and PyTorch are seen to do, as of the pinned versions: guards, not laws.

A result can be right while one of these fails. Then a version has changed what it made of the same code, or
the code has become dearer: look at what the test guards, and change the number if that is all there is.

| test | what it guards |
|---|---|
| kernels do not spill | registers: a kernel that spills is several times slower |
| threads read behind a barrier | what one thread stores and another loads, within a block |
| many lengths compile few kernels | minutes of compilation in the first epoch |
| ahead of time as at a launch | figures in `benches/record`, of kernels compiled ahead of time |
| operations of a line | launches: on a GPU, small operations take the time of their launch |
| private names of Triton | what this file and the interpreted tests reach into |
"""

import re

import numpy as np
import pytest
import torch
from operations_watched import Watched
from triton_present import needs_triton

import warplens as wl
import warplens.torch as wlt
from warplens.torch.backends.triton import backend as triton_backend
from warplens.torch.backends.triton.backend import TritonBackend
from warplens.torch.backends.triton.plan import plan
from warplens.torch.inputs.batches import Pairs
from warplens.torch.inputs.settings import as_local_cost, as_recursion_settings


@needs_triton
def test_compiled_kernels_do_not_spill():
    from benches.python import triton_kernels

    for kernel, variant in triton_kernels.VARIANTS:
        sizes = plan(1, 1, 512)
        constants = {**variant, "TYPE": triton_kernels.TYPES["float32"], "BLOCK": sizes.block}
        result = triton_kernels.compiled(kernel, constants, sizes, 90)
        assert result["spill_store_bytes"] == result["spill_load_bytes"] == 0


@needs_triton
def test_threads_read_what_others_stored_behind_a_barrier():
    from benches.python import triton_kernels

    result = {}
    for kernel, variant in triton_kernels.VARIANTS[1:3]:
        constants = {**variant, "TYPE": triton_kernels.TYPES["float32"], "BLOCK": 32}
        ptx = triton_kernels.built(kernel, constants, plan(1, 1, 32), 90).asm["ptx"]
        assert "ld.global.nc" not in ptx  # by a cache that sees no stores
        accesses = re.findall(r"^\s+(?:@!?%p\d+ )?(ld|st|bar)\.(?:global|sync|warp)", ptx, re.MULTILINE)
        result[kernel.__name__] = " ".join(accesses)
    assert "st bar ld" in result["accumulate_lines"]  # of a block
    assert "bar" in result["visit_lines"]  # of a line: a scan within a warp has none


@pytest.fixture
def any_device(monkeypatch):
    monkeypatch.setattr(triton_backend, "check_triton", lambda device: None)


class Device:
    """A driver of a device, with which a launch goes as far as to the compiler."""

    NUMBER = -1

    def get_current_target(self):
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 90, 32)

    def get_current_device(self):
        return self.NUMBER

    def get_current_stream(self, device):
        return 0


@pytest.fixture
def compilations(monkeypatch, any_device):
    """Collect the compilations of launches: by kernel and key the signature, constants and attributes."""
    from triton.runtime import driver, jit

    from warplens.torch.backends.triton import sweeps as triton_sweeps

    asked = {}

    def compile(kernel, key, signature, device, constants, options, attributes, warmup):
        asked[kernel.__name__, key] = signature, constants, attributes

    monkeypatch.setattr(driver, "_active", Device())
    monkeypatch.setattr(jit.JITFunction, "_do_compile", compile)
    yield asked
    for kernel in (triton_sweeps.accumulate_lines, triton_sweeps.visit_lines):
        kernel.device_caches.pop(Device.NUMBER, None)


def solve(shape, *, moments=False):
    pairs, N, M = shape
    x, y = (torch.empty(pairs, length, 2, device="meta") for length in (N, M))
    local_cost = as_local_cost("mse", None, None, "sum", 2)
    settings = as_recursion_settings(1.0, (1.0, 1.0, 1.0), None)
    pairs = Pairs(x, y, None, None, False)
    return TritonBackend().solve_pairs(pairs, local_cost, settings, (True, True, moments, moments))


@needs_triton
def test_many_lengths_compile_few_kernels(compilations):
    for index in range(50):
        solve((1 + index % 17, 1 + 21 * index, 1 + 29 * index % 301))
    blocks = {constants[path] for _, constants, _ in compilations.values() for path in list(constants)[-1:]}
    assert blocks == {32, 64, 128, 256, 512}
    # For each block, the recursion alone or with probabilities, for N >= M and N < M, and the way back.
    assert len(compilations) <= 5 * len(blocks)


@needs_triton
def test_what_is_compiled_ahead_of_time_is_what_a_launch_compiles(compilations):
    from benches.python import triton_kernels

    from warplens.torch.backends.triton import sweeps as triton_sweeps

    solve((3, 600, 200), moments=True)
    assert {name for name, _ in compilations} == {"accumulate_lines", "visit_lines"}
    for (name, _), (signature, constants, attributes) in compilations.items():
        kernel = getattr(triton_sweeps, name)
        named = {kernel.arg_names[path[0]]: value for path, value in constants.items()}
        ahead = triton_kernels.source(kernel, named)
        assert ahead.signature == signature
        assert ahead.constants == constants
        assert ahead.attrs == {path: result for path, result in attributes.items() if result}


def on_meta(B, N, M, D, *, needs_gradient):
    x = torch.empty(B, N, D, device="meta").requires_grad_(needs_gradient)
    return x, torch.empty(B, M, D, device="meta")


def work(N, M, *, backward, **settings):
    x, y = on_meta(2, N, M, 3, needs_gradient=backward)
    with Watched((x, y)) as watched:
        loss = wlt.soft_dtw_loss(x, y, backend="ops", **settings)
        if backward:
            loss.backward()
    return watched.work


TALL = (64, 8), (1024, 8)
WIDE = (8, 64), (8, 1024)


@pytest.mark.parametrize("band", [None, wl.SakoeChiba(30), wl.Itakura(100.0)])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("on_device", [False, True])
def test_work_is_a_few_operations_a_line_however_long_the_lines_are(on_device, backward, band):
    settings = {"band": band, "backward": backward}
    if on_device:
        settings["gamma"] = torch.tensor(0.5, dtype=torch.float64, device="meta")
    # 14 operations forward, where the device chooses both limits and the choice, and 8 back.
    of_line = 14 + 8 * on_device + 8 * backward
    tall, wide = ([work(*shape, **settings) for shape in shapes] for shapes in (TALL, WIDE))
    for result in (tall, wide):
        assert result[0] == result[1] <= of_line * 8 + 450
    assert work(64, 24, **settings) == tall[0] + of_line * 16


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("band", [None, wl.SakoeChiba(30)])
def test_work_is_so_also_where_memory_is_for_one_line_alone(band, backward):
    """Then all that is done for a block of lines at once is done for each, and again on the way back."""
    for S in (8, 24):
        result = [work(L, S, backward=backward, band=band) for L in (64, 1024)]
        assert result[0] == result[1] <= (190 if backward else 70) * S + 300


def replace_scans(monkeypatch):
    """Have Triton's interpreter scan by doubling."""
    from triton.runtime import interpreter

    def scan(self, tensors):
        arrays, dtypes = [t.handle.data for t in tensors], [t.dtype for t in tensors]
        shift = 1
        while shift < arrays[0].size:
            pairs = [*((np.roll(a, shift), d) for a, d in zip(arrays, dtypes, strict=True))]
            pairs += zip(arrays, dtypes, strict=True)
            joined = self.combine_fn.fn(*(self.to_tensor(array, dtype) for array, dtype in pairs))
            arrays = [
                np.concatenate([a[:shift], j.handle.data[shift:]])
                for a, j in zip(arrays, joined, strict=True)
            ]
            shift *= 2
        return [self.to_tensor(a, d) for a, d in zip(arrays, dtypes, strict=True)]

    monkeypatch.setattr(interpreter.ScanOps, "generic_scan", scan)


@needs_triton
def test_private_names_of_triton_are_there():
    from triton.runtime import driver, interpreter, jit

    from warplens.torch.backends.triton import sweeps as triton_sweeps

    assert hasattr(driver, "_active")  # the driver of a device, replaced by one that only tells a target
    assert callable(jit.JITFunction._do_compile)  # what a launch compiles
    assert hasattr(triton_sweeps.visit_lines, "device_caches")  # forgets what was compiled for that driver
    assert callable(interpreter.ScanOps.generic_scan)  # scans, in the interpreted tests
