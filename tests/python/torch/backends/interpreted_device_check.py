"""The check of a device on the CPU: `test_triton_kernels` runs this interpreted, in another process."""

import re
from itertools import product

import pytest
import torch
import triton
import triton.language as tl
from batches_of_pairs import random_batch
from test_compiled_code_guards import replace_scans

import warplens.torch as wlt
from warplens.torch import dispatch
from warplens.torch.backends.triton import backward_kernel, device_check, forward_kernel
from warplens.torch.backends.triton import sweeps as triton_sweeps
from warplens.torch.backends.triton.device_check import find_fault
from warplens.torch.backends.triton.device_functions import (
    affine_scan_reversed,
    log2_rate,
    log_scan,
    surprise,
)
from warplens.torch.first_use import FirstUse

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def scans_by_doubling(monkeypatch):
    replace_scans(monkeypatch)


class Launches:
    """A kernel, and the variants of it that were launched."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.variants = set()

    def __getitem__(self, grid):
        def launch(*arguments, **options):
            of_plan = {"num_warps", "num_stages", "maxnreg"}
            self.variants.add(tuple(value for name, value in options.items() if name not in of_plan))
            return self.kernel[grid](*arguments, **options)

        return launch


def test_the_kernels_pass_in_every_variant_and_become_the_default(monkeypatch):
    forward, backward = (
        Launches(getattr(triton_sweeps, name)) for name in ("accumulate_lines", "visit_lines")
    )
    monkeypatch.setattr(triton_sweeps, "accumulate_lines", forward)
    monkeypatch.setattr(triton_sweeps, "visit_lines", backward)
    monkeypatch.setitem(dispatch.FIRST_USES, "cpu", FirstUse(dispatch.BACKENDS["triton"], find_fault))
    monkeypatch.setitem(dispatch._DEFAULTS, "cpu", "ops")
    x, y = random_batch("mse", 1, 3, 2, 2)
    value = wlt.soft_dtw_loss(x, y)
    types, blocks, either = (tl.float32, tl.float64), (32, 512), (False, True)
    assert forward.variants == set(product(either, either, types, blocks))
    moments_and_visits = ((False, False), (True, False), (True, True))  # no call wants visits alone
    assert backward.variants == {
        (*wanted, dtype, block) for wanted, dtype, block in product(moments_and_visits, types, blocks)
    }
    assert dispatch.choose_backend(None, CPU).name == "triton"
    torch.testing.assert_close(value, wlt.soft_dtw_loss(x, y, backend="core"))


@triton.jit
def slow_scan(k, b, carry, is_soft, TYPE: tl.constexpr):
    """Lose a ten-thousandth on the way."""
    return 0.9999 * log_scan(k, b, carry, is_soft, TYPE)


@triton.jit
def scan_without_carry(q, s, carry):
    """Forget what the block before has found."""
    return affine_scan_reversed(q, s, 0.0 * carry)


@triton.jit
def no_surprise(p, rest, TYPE: tl.constexpr):
    """Forget the entropy of rare steps."""
    return tl.where(p > 0.05, surprise(p, rest, TYPE), 0.0)


@triton.jit
def dear_rate(rate, C):
    """Cost a little more where costs are high."""
    return log2_rate(rate, tl.where(C > 2.0, C + 1e-3, C))


@pytest.mark.parametrize(
    ("module", "name", "wrong", "words"),
    [
        (forward_kernel, "log_scan", slow_scan, "float32, N = 21, .*value"),
        (forward_kernel, "log2_rate", dear_rate, "float32, N = 21, .*differs"),
        (backward_kernel, "surprise", no_surprise, "float32, N = 21, .*gradient in gamma"),
        (backward_kernel, "affine_scan_reversed", scan_without_carry, "float32, N = 530, .*gradient in x"),
    ],
)
def test_a_kernel_that_is_changed_is_noticed(module, name, wrong, words, monkeypatch):
    cases = [case for case in device_check.CASES if f"N = {case.N}" in words]  # for the sake of time
    monkeypatch.setattr(device_check, "CASES", cases)
    monkeypatch.setattr(module, name, wrong)
    assert re.match(words, find_fault(CPU))


def test_a_kernel_that_breaks_is_noticed(monkeypatch):
    monkeypatch.delattr(forward_kernel, "log2_rate")
    outcome = FirstUse(dispatch.BACKENDS["triton"], find_fault).outcome(CPU)
    assert outcome.kind == "failed"
    assert re.match(r"float32, N = 21, M = 4, mse, .*: \w+: .*log2_rate", outcome.reason)
