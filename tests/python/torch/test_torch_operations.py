"""The torch operations are few, wait for nothing and hold little: laws of what is called, on no device."""

from math import ceil, log2

import pytest
import torch
from operations_watched import Watched
from oracles.costs import COSTS

import warplens as wl
import warplens.torch as wlt
from warplens.torch import grid, recursion


def on_meta(B, N, M, D, dtype=torch.float32, **asked):
    x = torch.empty(B, N, D, device="meta", dtype=dtype).requires_grad_(asked.get("x", True))
    y = torch.empty(B, M, D, device="meta", dtype=dtype).requires_grad_(asked.get("y", False))
    return x, y


def watch(x, y, *lengths, gamma=1.0, **settings):
    with Watched((x, y)) as watched:
        wlt.soft_dtw_loss(x, y, *lengths, gamma=gamma, backend="ops", **settings).backward()
    return watched


def work(N, M, **settings):
    return watch(*on_meta(2, N, M, 3), **settings).work


def test_work_grows_with_the_shorter_side_and_the_logarithm_of_the_longer():
    for settings in ({}, {"gamma": torch.tensor(0.5, dtype=torch.float64, device="meta")}):
        found = {(N, M): work(N, M, **settings) for N, M in [(64, 16), (16, 64), (256, 16), (16, 256)]}
        found |= {(N, M): work(N, M, **settings) for N, M in [(64, 48), (1024, 16)]}
        on_device = 3 if settings else 1  # both limits and a choice in place of logaddexp
        for (N, M), count in found.items():
            shorter, doublings = min(N, M), ceil(log2(max(N, M)))
            assert count <= shorter * ((2 + on_device) * doublings + 14) + 400
        # Two more doublings are the same few operations more in every line; nothing else grows.
        more = (found[256, 16] - found[64, 16]) / 16
        assert more == pytest.approx((found[1024, 16] - found[256, 16]) / 16, abs=1)
        assert more <= 2 * (2 + on_device) + 1
        # Gradients of the longer side take a constant number of operations more.
        assert abs(found[64, 16] - found[16, 64]) <= 150
        assert abs(found[256, 16] - found[16, 256]) <= 150
        assert found[64, 48] < 3.2 * found[64, 16]


@pytest.mark.parametrize("cost", COSTS)
def test_nothing_waits_for_the_device(cost):
    for band in (None, wl.SakoeChiba(3), wl.Itakura(2.0)):
        x, y = on_meta(2, 5, 3, 3, y=True)
        lengths = torch.empty(2, dtype=torch.int64, device="meta")
        gamma = torch.empty((), dtype=torch.float64, device="meta", requires_grad=True)
        on_host = {"feature_weights": [1.0, 2.0, 3.0], "step_weights": (0.1, 1.0, 1.0)}
        if cost.startswith("bce"):
            on_host["pos_weight"] = [1.0, 2.0, 3.0]
        watched = watch(x, y, lengths, lengths, cost=cost, gamma=gamma, band=band, **on_host)
        assert watched.waiting == []
        assert x.grad.shape == x.shape
        watched = watch(x, y, [5, 3], [3, 2], cost=cost, normalize="both", gamma=0.3, band=band)
        assert watched.waiting == []


def test_a_wait_is_seen():
    tensor = torch.empty(3, device="meta")
    with Watched() as watched:
        torch.ones(3).to("meta", non_blocking=True)
        assert watched.waiting == []
        torch.ones(3).to("meta")
        tensor.copy_(torch.ones(3))
    assert watched.waiting == ["_to_copy", "copy_"]
    for read in (torch.Tensor.item, torch.Tensor.nonzero, torch.Tensor.cpu):
        with pytest.raises((RuntimeError, NotImplementedError)):
            read(tensor)


def planned_bytes(B, N, M, D):
    """What forward and backward to x may hold beyond x and y.

    Of the longer side the mapped frames and the gradient in them; a checkpoint a block of K lines, or all
    lines of a small problem; the probabilities, the products of runs and a little more of one block; two
    buffers with margins for each scan.
    """
    shorter, longer = min(N, M), max(N, M)
    K = max(1, int((shorter // 16) ** 0.5), 3 * 2**15 // (B * longer))
    kept = shorter if B * N * M <= 2**21 else ceil(shorter / K)
    doublings = ceil(log2(longer))
    of_block = longer * K * (5 + doublings)
    return (
        8 * B * (longer * (2 * D + 2) + of_block + kept * (longer + 1) + 4 * (longer + 2 ** (doublings - 1)))
    )


@pytest.mark.parametrize(("B", "N", "M", "D"), [(32, 512, 512, 64), (32, 800, 96, 12), (32, 96, 800, 12)])
def test_memory_is_what_is_planned(B, N, M, D):
    x, y = on_meta(B, N, M, D, x=N >= M, y=N < M)
    peak = watch(x, y, cost="sqeuclidean").peak
    assert peak <= planned_bytes(B, N, M, D)
    if N == M:
        assert peak <= 40e6  # a float64 matrix of the costs alone would be 67 MB


@pytest.mark.parametrize("cost", COSTS)
def test_no_cost_needs_an_array_of_all_cells(monkeypatch, cost):
    """Not even a mask: no tensor has as many bytes as there are cells, once blocks are small."""
    monkeypatch.setattr(grid, "_CELLS_AT_ONCE", 0)
    monkeypatch.setattr(recursion, "_KEPT_CELLS", 0)
    B, N, M, D = 4, 64, 32, 3
    bands = (None, wl.SakoeChiba(50), wl.Itakura(4.0))
    band = bands[COSTS.index(cost) % len(bands)]
    x, y = on_meta(B, N, M, D, y=True)
    lengths = torch.empty(B, dtype=torch.int64, device="meta")
    assert watch(x, y, lengths, lengths, cost=cost, band=band).largest < B * N * M


def test_soft_alignment_is_held_once_where_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(grid, "_CELLS_AT_ONCE", 0)
    monkeypatch.setattr(recursion, "_KEPT_CELLS", 0)
    B, N, M = 4, 200, 100
    C = torch.empty(B, N, M, device="meta", requires_grad=True)
    with Watched((C,)) as watched:
        wlt.soft_dtw_from_costs(C, backend="ops").backward()
    assert watched.largest == 4 * B * N * M  # H in the dtype of C, not in float64
