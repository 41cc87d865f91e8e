"""The Triton backend on the CPU: `test_triton_kernels` runs this interpreted, in another process.

A line is cut into blocks of 4 and the shorter axis into segments of 2, so that small batches meet every seam.
"""

from functools import partial

import pytest
import torch
from batches_of_pairs import random_batch
from oracles.costs import COSTS
from test_compiled_code_guards import replace_scans

import warplens as wl
import warplens.torch as wlt
from warplens.torch.backends.triton import backend as triton_backend
from warplens.torch.backends.triton.plan import plan

GAMMAS = (0.0, 0.01, 1.0, 100.0)
WEIGHTS = ((1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (0.0, 0.7, 2.0))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(triton_backend, "plan", partial(plan, segment=2, block=4))


@pytest.fixture
def scans_one_by_one():
    """Keep the interpreter's own scans."""


@pytest.fixture(autouse=True)
def scans_by_doubling(request, monkeypatch):
    """Scans in an order that only an associative join allows, and in less time than one by one."""
    if "scans_one_by_one" not in request.fixturenames:
        replace_scans(monkeypatch)


def solved(function, tensors, backend, *, gamma=1.0, weights=WEIGHTS[0], **settings):
    """Return values, and their gradients in the tensors, gamma and step weights."""
    inputs = [tensor.clone().requires_grad_() for tensor in tensors]
    numbers = [torch.tensor(n, dtype=torch.float64, requires_grad=True) for n in (gamma, weights)]
    values = function(
        *inputs, gamma=numbers[0], step_weights=numbers[1], reduction="none", backend=backend, **settings
    )
    values.sum().backward()
    return [values.detach(), *(tensor.grad for tensor in (*inputs, *numbers))]


def assert_as_core(function, tensors, tolerance=1e-11, **settings):
    """Compare with the float64 core, also in float32."""
    result = solved(function, tensors, "triton", **settings)
    truth = solved(function, [tensor.double() for tensor in tensors], "core", **settings)
    for ours, theirs in zip(result, truth, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=tolerance, atol=tolerance, equal_nan=True)


@pytest.mark.parametrize("short", [1, 3])
def test_every_length_of_a_line(short):
    for length in range(short, 10):
        gamma, weights = GAMMAS[length % 4], WEIGHTS[length % 3]
        for shape in ((1, length, short), (1, short, length)):
            C = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(length))
            assert_as_core(wlt.soft_dtw_from_costs, [C], gamma=gamma, weights=weights)


@pytest.mark.parametrize(
    ("gamma", "weights"),
    [(g, w) for g, w in zip(GAMMAS, WEIGHTS[:1] + WEIGHTS, strict=True)] + [(0.01, WEIGHTS[1])],
)
def test_ragged_matrices_in_float32(gamma, weights):
    C = 3.0 * torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(1))
    C[0, 5:], C[1, :, 2:] = torch.nan, torch.nan  # is never read
    assert_as_core(
        wlt.soft_dtw_from_costs, [C], 2e-6, gamma=gamma, weights=weights,
        x_lengths=[5, 6, 1], y_lengths=[5, 2, 3],
    )  # fmt: skip


@pytest.mark.parametrize("cost", COSTS)
def test_costs(cost):
    index = COSTS.index(cost)
    shape = (5, 4) if index % 2 else (4, 5)
    x, y = random_batch(cost, 2, *shape, 3, dtype=torch.float32)
    settings = {"gamma": GAMMAS[index % 4], "weights": WEIGHTS[index % 3]}
    if cost.startswith("bce"):
        settings["pos_weight"] = [1.0, 2.0, 0.5]
    if cost != "cosine":
        settings["feature_weights"] = [1.0, 0.0, 2.0]
    x[0, 3:], y[1, 3:] = torch.nan, torch.nan
    lengths = {"x_lengths": [3, shape[0]], "y_lengths": [shape[1], 3]}
    assert_as_core(wlt.soft_dtw_loss, [x, y], 2e-5, cost=cost, **settings, **lengths)


def test_a_common_offset_changes_nothing():
    x, y = (sequences + 1000.0 for sequences in random_batch("mse", 1, 7, 4, 3, dtype=torch.float32))
    assert_as_core(wlt.soft_dtw_loss, [x, y], 1e-5, gamma=0.1)


def test_large_costs(scans_one_by_one):
    C = 1e6 + torch.rand(1, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-8)):
        assert_as_core(wlt.soft_dtw_from_costs, [C.to(dtype)], tolerance, gamma=0.5, weights=(1.0, 1.0, 2.0))


def test_entropy_of_an_almost_certain_path_in_float32():
    C = 0.1 * (1.0 - torch.eye(4))[None]
    result, truth = (
        solved(wlt.soft_dtw_from_costs, [costs], backend, gamma=0.005)[2]
        for backend, costs in (("triton", C), ("core", C.double()))
    )
    assert -1e-6 < truth < 0.0
    torch.testing.assert_close(result, truth, rtol=1e-4, atol=0)


@pytest.mark.parametrize("band", [wl.SakoeChiba(1), wl.SakoeChiba(2.5), wl.Itakura(2.0)])
def test_bands(band):
    x, y = random_batch("mse", 2, 5, 4, 3)
    lengths = {"x_lengths": [5, 3], "y_lengths": [4, 4]}
    assert_as_core(wlt.soft_dtw_loss, [x, y], band=band, **lengths)
    assert_as_core(wlt.soft_dtw_from_costs, [torch.cdist(x, y).mT], band=band)


def test_forbidden_cells_missing_paths_and_nan_stay_in_their_pair():
    C = torch.rand(4, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    C[0, 2, 1:] = torch.inf
    C[1, 3] = torch.inf  # no path
    C[2, 0, 2] = torch.nan
    for gamma in (0.0, 0.5):
        values, grad, *numbers = solved(wlt.soft_dtw_from_costs, [C], "triton", gamma=gamma)
        truth = solved(wlt.soft_dtw_from_costs, [C[[0, 3]]], "core", gamma=gamma)
        torch.testing.assert_close(values[[0, 3]], truth[0])
        torch.testing.assert_close(grad[[0, 3]], truth[1])
        assert values[1] == torch.inf
        assert not grad[1].any()
        assert values[2].isnan()
        assert grad[2].isnan().all()
        assert all(number.isnan().all() for number in numbers)  # shared by all pairs


def test_padding_of_a_pair_with_nan_has_no_gradient():
    for shape, lengths in (((2, 6, 4), (4, 3)), ((2, 4, 6), (3, 4))):
        C = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
        C[0, 1, 1] = torch.nan
        n, m = lengths
        values, grad, *_ = solved(
            wlt.soft_dtw_from_costs, [C], "triton", x_lengths=[n, shape[1]], y_lengths=[m, shape[2]]
        )
        assert values[0].isnan()
        assert grad[0, :n, :m].isnan().all()
        assert not grad[0, n:].any()
        assert not grad[0, :, m:].any()


@pytest.mark.parametrize("gamma", [1e-300, 1e-310, 5e-324])
def test_a_gamma_near_zero_is_soft_and_not_out_of_range(gamma):
    C = torch.rand(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    C[0, 0, 0] = 0.0
    C[1] = 1e30  # ties, which the hard alignment would not split
    assert_as_core(wlt.soft_dtw_from_costs, [C], gamma=gamma)


@pytest.mark.parametrize(
    ("gamma", "weights"),
    [
        *((gamma, WEIGHTS[0]) for gamma in (-1.0, torch.inf, torch.nan)),
        *((1.0, (1.0, wrong, 1.0)) for wrong in (-1.0, torch.inf, torch.nan)),
        (0.0, (1.0, 1.0, -0.5)),
    ],
)
def test_a_gamma_or_weight_out_of_range_gives_nan(gamma, weights):
    C = torch.rand(4, 5, generator=torch.Generator().manual_seed(8))
    numbers = {"gamma": torch.tensor(gamma), "step_weights": torch.tensor(weights)}

    def loss(C):
        return wlt.soft_dtw_from_costs(C, backend="triton", **numbers)

    # Values are not looked at inside a transform, as they are not on a device.
    grad, value = torch.func.grad_and_value(loss)(C)
    assert value.isnan()
    assert grad.isnan().all()


def test_hard_ties_go_as_in_the_core(scans_one_by_one):
    for shape in ((1, 5, 3), (1, 3, 5)):
        for weights in ((1.0, 1.0, 2.0), (1.0, 1.0, 5.0)):
            C = torch.ones(shape, dtype=torch.float64)
            assert_as_core(wlt.soft_dtw_from_costs, [C], gamma=0.0, weights=weights)


@pytest.mark.parametrize("shape", [(4, 2), (2, 5)])
def test_gradients_are_finite_differences(shape):
    inputs = [tensor.requires_grad_() for tensor in random_batch("bce_logits", 1, *shape, 2)]
    inputs += [torch.tensor(n, dtype=torch.float64, requires_grad=True) for n in (0.6, WEIGHTS[1])]

    def loss(x, y, gamma, weights):
        return wlt.soft_dtw_loss(x, y, cost="bce_logits", gamma=gamma, step_weights=weights, backend="triton")

    assert torch.autograd.gradcheck(loss, inputs, fast_mode=True)


def test_second_derivatives_are_those_of_the_core():
    result = []
    for backend in ("triton", "core"):
        x, y = random_batch("mse", 1, 5, 3, 2)
        x.requires_grad_()
        (grad,) = torch.autograd.grad(wlt.soft_dtw_loss(x, y, backend=backend), x, create_graph=True)
        result += torch.autograd.grad(grad.square().sum(), x)
    torch.testing.assert_close(*result)


def test_alignments_are_those_of_the_core():
    x, y = random_batch("bce", 2, 7, 4, 3)
    ours, theirs = (
        wlt.align(x, y, [7, 5], [3, 4], cost="bce", gamma=0.3, step_weights=WEIGHTS[2], backend=backend)
        for backend in ("triton", "core")
    )
    for name in ("value", "h", "entropy", "y_mod", "H", "E", "H_tilde"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("cost", ["mse", "bce"])
def test_a_compiled_step_is_the_step(cost):
    x, y = random_batch(cost, 1, 4, 3, 2, dtype=torch.float32)

    def step(x, y):
        return wlt.soft_dtw_loss(x, y, torch.tensor([3]), cost=cost, gamma=0.5, backend="triton")

    result = []
    for function in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
        inputs = [tensor.clone().requires_grad_() for tensor in (x, y)]
        loss = function(*inputs)
        loss.backward()
        result.append([loss.detach(), *(tensor.grad for tensor in inputs)])
    for eager, compiled in zip(*result, strict=True):
        torch.testing.assert_close(eager, compiled)


def test_transforms_give_the_gradient():
    x, y = random_batch("bce", 2, 3, 4, 2, dtype=torch.float32)

    def loss(x, y):
        return wlt.soft_dtw_loss(x, y, cost="bce", reduction="sum", backend="triton")

    result = torch.func.vmap(torch.func.grad(loss))(x, y)
    loss(x.requires_grad_(), y).backward()
    torch.testing.assert_close(result, x.grad)
    C = torch.rand(3, 4, generator=torch.Generator().manual_seed(6))
    result = torch.func.grad(lambda C: wlt.soft_dtw_from_costs(C, backend="triton"))(C)
    wlt.soft_dtw_from_costs(C.requires_grad_(), backend="triton").backward()
    torch.testing.assert_close(result, C.grad)


@pytest.mark.parametrize("gamma", [0.01, 1.0, 100.0])
def test_long_sequences_in_float32(gamma, monkeypatch):
    monkeypatch.setattr(triton_backend, "plan", partial(plan, segment=3))  # blocks of their true size
    C = 20.0 * torch.rand(1, 2000, 4, generator=torch.Generator().manual_seed(4))
    result = solved(wlt.soft_dtw_from_costs, [C], "triton", gamma=gamma, weights=WEIGHTS[1])
    truth = solved(wlt.soft_dtw_from_costs, [C.double()], "core", gamma=gamma, weights=WEIGHTS[1])
    torch.testing.assert_close(result[0].double(), truth[0], rtol=1e-6, atol=0)
    torch.testing.assert_close(result[1].double(), truth[1], rtol=0, atol=1e-6)
    torch.testing.assert_close(result[2:], truth[2:], rtol=1e-5, atol=1e-6)


def test_laws_of_visits(monkeypatch):
    monkeypatch.setattr(triton_backend, "plan", partial(plan, segment=4, block=64))
    x, y = random_batch("mse", 1, 150, 9, 3, dtype=torch.float32)
    alignment = wlt.align(x[0], y[0], gamma=0.1, backend="triton")
    assert alignment.E[0, 0] == pytest.approx(1.0, abs=1e-6)
    assert alignment.E[-1, -1] == 1.0
    assert (alignment.E.sum(0) >= 1 - 1e-6).all()
    assert (alignment.E.sum(1) >= 1 - 1e-6).all()
    torch.testing.assert_close(alignment.E, alignment.H, rtol=0, atol=1e-6)
