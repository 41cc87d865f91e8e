"""Laws of the compiled kernels that read Triton's private parts and the code that it writes.

Each says what it guards; a release of Triton may break one without breaking the backend.
"""

import re

import pytest
import torch
from batches_of_pairs import random_batch
from triton_present import needs_triton

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
    x, y = random_batch("mse", pairs, N, M, 2, dtype=torch.float32)
    local_cost = as_local_cost("mse", None, None, "sum", 2)
    settings = as_recursion_settings(1.0, (1.0, 1.0, 1.0), None)
    pairs = Pairs(x, y, None, None, False)
    return TritonBackend().solve_pairs(pairs, local_cost, settings, (True, True, moments, moments))


@needs_triton
def test_many_lengths_compile_few_kernels(compilations):
    for index in range(150):
        solve((1 + index % 17, 1 + 7 * index, 1 + 29 * index % 301))
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
