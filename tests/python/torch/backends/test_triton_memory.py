"""The plan of the Triton backend: segments, memory, few operations, no waiting for the device."""

import pytest
import torch
from batches_of_pairs import random_batch
from operations_watched import Watched
from triton_present import needs_triton

import warplens as wl
import warplens.torch as wlt
from warplens.torch.backends.triton import backend as triton_backend
from warplens.torch.backends.triton.backend import TritonBackend
from warplens.torch.backends.triton.factors import bytes_of_factors
from warplens.torch.backends.triton.plan import plan
from warplens.torch.inputs.batches import Pairs
from warplens.torch.inputs.settings import as_local_cost, as_recursion_settings


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


class NoKernel:
    """A kernel that does nothing; real ones allocate nothing."""

    def __getitem__(self, grid):
        return lambda *arguments, **options: None


@pytest.fixture
def any_device(monkeypatch):
    monkeypatch.setattr(triton_backend, "check_triton", lambda device: None)


@pytest.fixture
def no_kernels(monkeypatch, any_device):
    from warplens.torch.backends.triton import sweeps as triton_sweeps

    for kernel in ("accumulate_lines", "visit_lines"):
        monkeypatch.setattr(triton_sweeps, kernel, NoKernel())


@needs_triton
@pytest.mark.parametrize("cost", ["mse", "bce", "ce_logits"])
@pytest.mark.parametrize("wanted", [(True, False, False, False), (True, True, True, True)])
def test_memory_is_that_of_the_plan(wanted, cost, no_kernels):
    x, y = random_batch(cost, 32, 512, 512, 64, dtype=torch.float32)
    local_cost = as_local_cost(cost, None, None, "sum", 64)
    settings = as_recursion_settings(1.0, (1.0, 1.0, 1.0), None)
    with Watched((x, y)) as memory:
        result = TritonBackend().solve_pairs(Pairs(x, y, None, None, False), local_cost, settings, wanted)
    assert result[1][0].shape == x.shape
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
