"""The recursion in torch operations, and the core behind it, against every path."""

import itertools

import numpy as np
import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles.every_path import soft_dtw

import warplens as wl
import warplens.torch as wlt
from warplens.torch.backends.ops import recursion
from warplens.torch.backends.ops.backend import OpsBackend
from warplens.torch.backends.ops.grid import Grid
from warplens.torch.inputs.batches import CostMatrices
from warplens.torch.inputs.settings import RecursionSettings, as_recursion_settings

WEIGHTS = ((1.0, 1.0, 1.0), (0.1, 1.0, 1.3), (0.0, 1.0, 2.0))


def costs_of(N, M, seed=0):
    return np.random.default_rng(seed + 100 * N + M).uniform(-0.5, 2.0, (N, M))


def check(C, gamma, weights, backend):
    truth = soft_dtw(C, gamma, weights)
    costs = torch.tensor(C, requires_grad=True)
    gamma = torch.tensor(gamma, dtype=torch.float64, requires_grad=True)
    w = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    value = wlt.soft_dtw_from_costs(costs, gamma=gamma, step_weights=w, backend=backend)
    value.backward()
    assert value.item() == pytest.approx(truth.value, abs=1e-12)
    np.testing.assert_allclose(costs.grad, truth.H, atol=1e-12)
    assert gamma.grad.item() == pytest.approx(-truth.entropy, abs=1e-11)
    np.testing.assert_allclose(w.grad, truth.step_weights_grad, atol=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("gamma", [0.05, 1.0, 20.0])
def test_sum_over_every_path(gamma, weights, backend):
    for N, M in itertools.product(range(1, 5), repeat=2):
        check(costs_of(N, M), gamma, weights, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_forbidden_cells(weights, backend):
    generator = np.random.default_rng(3)
    for N, M in itertools.product(range(1, 5), repeat=2):
        C = costs_of(N, M)
        C[generator.random((N, M)) < 0.3] = np.inf
        check(C, 0.5, weights, backend)


def visits(C, lengths, gamma, weights):
    matrices = CostMatrices(C, *lengths, unbatched=False)
    computed = OpsBackend().results_of_costs(
        matrices, as_recursion_settings(gamma, weights, None), ("E", "H")
    )
    return computed["E"], computed["H"]


def test_visits_are_probabilities_of_cells():
    for N, M in itertools.product(range(1, 5), repeat=2):
        C = costs_of(N, M)
        E, _ = visits(torch.tensor(C)[None], (None, None), 0.7, WEIGHTS[1])
        np.testing.assert_allclose(E[0], soft_dtw(C, 0.7, WEIGHTS[1]).E, atol=1e-12)


@pytest.mark.parametrize(("N", "M"), [(300, 40), (40, 300), (128, 128)])
def test_laws_of_visits(N, M):
    C = torch.rand(2, N, M, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 100.0
    lengths = torch.tensor([N, N - 8]), torch.tensor([M, M - 4])
    for E, H, n, m in zip(*visits(C, lengths, 0.1, (1.0, 1.0, 1.0)), *lengths, strict=True):
        assert E[0, 0] == pytest.approx(1.0, abs=1e-12)
        assert E[n - 1, m - 1] == 1.0
        assert (E[:n].sum(1) >= 1 - 1e-12).all()
        assert (E[:, :m].sum(0) >= 1 - 1e-12).all()
        torch.testing.assert_close(E, H, rtol=0, atol=1e-14)
        assert not E[n:].any()
        assert not E[:, m:].any()


@pytest.mark.parametrize("kept", [0, 2**21])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize(("N", "M"), [(23, 14), (14, 23)])
def test_blocks_of_any_size_give_the_same_numbers(monkeypatch, N, M, size, kept):
    """Any number of lines may be swept at once, and be kept or recomputed."""
    x, y = random_batch("mse", N=N, M=M)
    leaves = [tensor.requires_grad_() for tensor in (x, y, torch.tensor(0.3), torch.tensor([0.1, 1.0, 1.2]))]

    def results():
        values = wlt.soft_dtw_loss(
            x, y, [N, 1, N - 5], [M - 3, M, 1], gamma=leaves[2], step_weights=leaves[3], backend="ops"
        )
        return [values, *torch.autograd.grad(values, leaves)]

    whole = results()
    monkeypatch.setattr(
        Grid,
        "blocks",
        lambda grid: [slice(k, min(k + size, grid.shape[0])) for k in range(0, grid.shape[0], size)],
    )
    monkeypatch.setattr(recursion, "_KEPT_CELLS", kept)
    for one, other in zip(whole, results(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scale", [1e3, 1e7])
def test_huge_costs_stay_finite(scale, backend):
    C = torch.rand(1, 60, 50, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * scale
    C.requires_grad_()
    gamma = torch.ones((), dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([0.1, 1.0, 1.0], dtype=torch.float64, requires_grad=True)
    value = wlt.soft_dtw_from_costs(C, gamma=gamma, step_weights=weights, backend=backend)
    value.backward()
    hard = wlt.soft_dtw_from_costs(C, gamma=0.0, step_weights=weights, backend=backend)
    assert value.item() == pytest.approx(hard.item(), rel=1e-3)
    for grad in (C.grad, gamma.grad, weights.grad):
        assert grad.isfinite().all()
    assert gamma.grad <= 0.0  # an entropy is not negative


@pytest.mark.parametrize("backend", BACKENDS)
def test_gamma_zero_is_the_hard_path(backend):
    generator = np.random.default_rng(5)
    for N, M in [(1, 1), (1, 5), (5, 1), (9, 6), (6, 9), (40, 33)]:
        C = generator.uniform(0.0, 1.0, (N, M))
        path = wl.align_costs(C, gamma=0.0, step_weights=(0.5, 1.0, 1.5)).path()
        costs = torch.tensor(C, requires_grad=True)
        gamma = torch.zeros((), dtype=torch.float64, requires_grad=True)
        value = wlt.soft_dtw_from_costs(costs, gamma=gamma, step_weights=(0.5, 1.0, 1.5), backend=backend)
        value.backward()
        assert value.item() == pytest.approx(path.value, rel=1e-12)
        on_path = np.zeros((N, M), dtype=bool)
        on_path[tuple(path.indices.T)] = True
        np.testing.assert_array_equal(costs.grad.numpy() > 0, on_path)
        assert gamma.grad == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
def test_hard_ties_go_diagonal_then_horizontal_then_vertical(shape, backend):
    N, M = shape
    # With weights (1,1,2) and constant costs every path of steps has the same cost.
    C = torch.ones(N, M, dtype=torch.float64, requires_grad=True)
    wlt.soft_dtw_from_costs(C, gamma=0.0, step_weights=(1.0, 1.0, 2.0), backend=backend).backward()
    on_path, cell = np.zeros((N, M)), (N - 1, M - 1)
    while True:  # back from the end: diagonal where there is one, then along what is left
        n, m = cell
        is_first_or_diagonal = cell == (0, 0) or (n > 0 and m > 0)
        on_path[cell] = 2.0 if is_first_or_diagonal else 1.0
        if cell == (0, 0):
            break
        cell = (n - 1, m - 1) if is_first_or_diagonal else (max(n - 1, 0), max(m - 1, 0))
    np.testing.assert_array_equal(C.grad.numpy(), on_path)
    # Without a diagonal worth taking, horizontal comes before vertical on the way back.
    C = torch.ones(N, M, dtype=torch.float64, requires_grad=True)
    wlt.soft_dtw_from_costs(C, gamma=0.0, step_weights=(1.0, 1.0, 5.0), backend=backend).backward()
    expected = np.zeros((N, M))
    expected[:, -1] = 1.0
    expected[0, :] = 1.0
    expected[0, 0] = 5.0
    np.testing.assert_array_equal(C.grad.numpy(), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_small_gamma_tends_to_the_hard_value(backend):
    C = torch.tensor(costs_of(12, 9))
    hard = wlt.soft_dtw_from_costs(C, gamma=0.0, backend=backend)
    soft = [wlt.soft_dtw_from_costs(C, gamma=g, backend=backend) for g in (1e-1, 1e-2, 1e-3, 1e-6)]
    gaps = [float(hard - value) for value in soft]
    assert all(gap >= -1e-12 for gap in gaps)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-4


@pytest.mark.parametrize("backend", BACKENDS)
def test_transposition_swaps_horizontal_and_vertical(backend):
    C = torch.tensor(costs_of(8, 5))
    value = wlt.soft_dtw_from_costs(C, step_weights=(0.2, 0.9, 1.4), backend=backend)
    turned = wlt.soft_dtw_from_costs(C.T, step_weights=(0.9, 0.2, 1.4), backend=backend)
    assert value.item() == pytest.approx(turned.item(), rel=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_scaling_costs_and_gamma_scales_the_value(backend):
    C = torch.tensor(costs_of(8, 5))
    value = wlt.soft_dtw_from_costs(C, gamma=0.3, backend=backend)
    scaled = wlt.soft_dtw_from_costs(7.0 * C, gamma=2.1, backend=backend)
    assert scaled.item() == pytest.approx(7.0 * value.item(), rel=1e-12)


@pytest.mark.parametrize("gamma", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("band", [None, wl.SakoeChiba(30)])
def test_free_paths_beside_costs_of_1e5_are_told_apart(gamma, band):
    """Steps of a staircase match at no cost, in many ways; all other frames are 1e5 and more away."""
    x = (1e5 * torch.arange(20, dtype=torch.float64)).repeat_interleave(14).view(1, -1, 1)
    y = (1e5 * torch.arange(20, dtype=torch.float64)).repeat_interleave(3).view(1, -1, 1)
    for one, other in ((x, y), (y, x)):
        settings = {"cost": "l1", "gamma": gamma, "band": band}
        core, ops = (wlt.align(one, other, **settings, backend=backend) for backend in BACKENDS)
        assert ops.value.item() == pytest.approx(core.value.item(), rel=1e-11)
        assert (core.E > 0.1).sum() > (core.E > 0.9).sum() + 100
        torch.testing.assert_close(ops.H, core.H, rtol=0, atol=1e-10)


def test_free_steps_tie_exactly_in_the_hard_limit():
    """Along a line all entries then are one and the same number, which no scan may round."""
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        x, y = (torch.randn(2, T, 1, generator=generator, dtype=torch.float64) for T in (40, 23))
        settings = {"cost": "l1", "gamma": 0.0, "step_weights": (0.0, 0.0, 1.0), "band": wl.Itakura(4.0)}
        core, ops = (wlt.align(x, y, **settings, backend=backend) for backend in BACKENDS)
        assert torch.equal(core.E, ops.E)


def test_a_cost_out_of_range_leaves_no_path_in_its_pair():
    """Between sequences lines have no gaps, so a run may not pass over it either."""
    x, y = random_batch("mse")
    x[1, 2, 0] = 1e200
    x.requires_grad_()
    for gamma in (0.0, 1.0):
        values = wlt.soft_dtw_loss(x, y, cost="euclidean", gamma=gamma, reduction="none", backend="ops")
        assert values.isinf().tolist() == [False, True, False]
        (gradient,) = torch.autograd.grad(values[[0, 2]].sum() + values[1], x)
        assert gradient.isfinite().all()
        assert not gradient[1].any()


def solved(C, gamma, weights):
    """Solve by the torch operations, with no check of the numbers."""
    settings = RecursionSettings(*(torch.tensor(z, dtype=torch.float64) for z in (gamma, weights)), None)
    matrices = CostMatrices(C, None, None, unbatched=False)
    return OpsBackend().results_of_costs(matrices, settings, ["H", "moments"])


@pytest.mark.parametrize("weights", [(-1.0, 1.0, 1.0), (1.0, torch.inf, 1.0), (1.0, 1.0, torch.nan)])
def test_weights_out_of_range_are_seen_in_every_result(weights):
    computed = solved(torch.rand(2, 5, 4, dtype=torch.float64), 1.0, weights)
    assert all(result.isnan().all() for result in computed.values())


@pytest.mark.parametrize("gamma", [1e-310, 1e-300, 1e-200])
def test_a_tiny_gamma_is_the_hard_limit_with_its_ties_split(gamma):
    C = torch.rand(3, 6, 5, dtype=torch.float64)
    C[1] = 0
    computed, hard = solved(C, gamma, (1.0, 1.0, 1.0)), solved(C, 0.0, (1.0, 1.0, 1.0))
    torch.testing.assert_close(computed["value"], hard["value"], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(computed["H"][[0, 2]], hard["H"][[0, 2]], rtol=1e-12, atol=1e-12)
    every = torch.from_numpy(
        wl.align_costs(C[1].numpy(), gamma=1.0).H.copy()
    )  # of ties any gamma makes the same
    torch.testing.assert_close(computed["H"][1], every, rtol=1e-9, atol=1e-9)
