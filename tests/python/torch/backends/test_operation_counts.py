"""The torch operations are few, wait for nothing and hold little: laws of the calls, on no device."""

from math import ceil

import pytest
import torch
from operations_watched import Watched
from oracles.costs import COSTS

import warplens as wl
import warplens.torch as wlt
from warplens.torch.library_operators import solve_pairs


def on_meta(B, N, M, D, dtype=torch.float32, **asked):
    x = torch.empty(B, N, D, device="meta", dtype=dtype).requires_grad_(asked.get("x", True))
    y = torch.empty(B, M, D, device="meta", dtype=dtype).requires_grad_(asked.get("y", False))
    return x, y


def watch(x, y, *lengths, gamma=1.0, **settings):
    with Watched((x, y)) as watched:
        wlt.soft_dtw_loss(x, y, *lengths, gamma=gamma, backend="ops", **settings).backward()
    return watched


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
    """Return the bytes that forward and backward to x may hold beyond x and y.

    Of the longer side the mapped frames and the gradient in them; a checkpoint a block of K lines, or all
    lines of a small problem; the probabilities, the matrices of groups and a little more of one block; a few
    lines that the scans pass through.
    """
    shorter, longer = min(N, M), max(N, M)
    K = max(1, int((shorter // 16) ** 0.5), 3 * 2**15 // (B * longer))
    kept = shorter if B * N * M <= 2**21 else ceil(shorter / K)
    of_group = int((longer / 8) ** (1 / 3)) + 1
    of_block = longer * K * (9 + of_group)
    return 8 * B * (longer * (2 * D + 2) + of_block + kept * (longer + 1) + 8 * longer)


@pytest.mark.slow
@pytest.mark.parametrize(("B", "N", "M", "D"), [(32, 512, 512, 64), (32, 800, 96, 12), (32, 96, 800, 12)])
def test_memory_is_what_is_planned(B, N, M, D):
    x, y = on_meta(B, N, M, D, x=N >= M, y=N < M)
    peak = watch(x, y, cost="sqeuclidean").peak
    assert peak <= planned_bytes(B, N, M, D)
    if N == M:
        assert peak <= 40e6  # a float64 matrix of the costs alone would be 67 MB


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.usefixtures("small_blocks")
def test_no_cost_needs_an_array_of_all_cells(cost):
    """Not even a mask: no tensor has as many bytes as there are cells, once blocks are small."""
    B, N, M, D = 4, 64, 32, 3
    bands = (None, wl.SakoeChiba(50), wl.Itakura(4.0))
    band = bands[COSTS.index(cost) % len(bands)]
    x, y = on_meta(B, N, M, D, y=True)
    lengths = torch.empty(B, dtype=torch.int64, device="meta")
    assert watch(x, y, lengths, lengths, cost=cost, band=band).largest < B * N * M


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("cost", COSTS)
def test_an_alignment_holds_no_array_of_all_cells_but_those_looked_at(cost):
    N, M = ((64, 32), (32, 64))[COSTS.index(cost) % 2]
    x, y = on_meta(4, N, M, 3)
    with Watched((x, y)) as watched:
        alignment = wlt.align(x, y, cost=cost, band=wl.SakoeChiba(50), backend="ops")
    assert watched.waiting == []
    assert watched.largest < 4 * N * M
    with Watched((x, y)) as watched:
        assert alignment.H.shape == (4, N, M)
    assert watched.largest == 4 * 4 * N * M  # H and E in the dtype of x


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("wanted", [(False,) * 4, (True, True, False, False), (True,) * 4])
def test_the_operator_of_compiled_steps_holds_no_array_of_all_cells(wanted):
    B, N, M = 4, 64, 32
    x, y = on_meta(B, N, M, 3)
    numbers = torch.tensor(0.5, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    for cost in ("bce", "l1"):
        with Watched((x, y)) as watched:
            result = solve_pairs(x, y, None, None, *numbers, None, None, cost, None, 0.0, "ops", wanted)
        assert watched.largest < B * N * M
        for gradient, like, yes in zip(result[1:3], (x, y), wanted, strict=False):
            assert gradient.shape == (like.shape if yes else (0,))


@pytest.mark.usefixtures("small_blocks")
def test_a_sharp_value_without_gradient_holds_no_array_of_all_cells():
    x, y = on_meta(4, 64, 32, 3, x=False)
    with Watched((x, y)) as watched:
        wlt.soft_dtw_loss(x, y, sharp=True, backend="ops")
    assert watched.largest < 4 * 64 * 32


@pytest.mark.usefixtures("small_blocks")
def test_soft_alignment_is_held_once_where_it_is_asked_for():
    B, N, M = 4, 80, 40
    C = torch.empty(B, N, M, device="meta", requires_grad=True)
    with Watched((C,)) as watched:
        wlt.soft_dtw_from_costs(C, backend="ops").backward()
    assert watched.largest == 4 * B * N * M  # H in the dtype of C, not in float64
