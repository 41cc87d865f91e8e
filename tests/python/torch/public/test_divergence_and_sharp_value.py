"""Divergence and sharp value: the published formulas, and the NumPy functions."""

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles.costs import COSTS
from torch.autograd import gradcheck

import warplens as wl
import warplens.torch as wlt

SYMMETRIC = ("mse", "sqeuclidean", "cosine", "euclidean", "l1")
LENGTHS = [6, 3, 1], [4, 4, 2]


def pairs_of(x, y, x_lengths=None, y_lengths=None):
    x_lengths = [x.shape[1]] * len(x) if x_lengths is None else x_lengths
    y_lengths = [y.shape[1]] * len(y) if y_lengths is None else y_lengths
    return [(a[:n].detach(), b[:m].detach()) for a, b, n, m in zip(x, y, x_lengths, y_lengths, strict=True)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gamma", [0.0, 0.01, 1.0, 50.0])
@pytest.mark.parametrize("cost", SYMMETRIC)
def test_divergence_is_the_published_formula(cost, gamma, backend):
    """SDTW(x,y) - SDTW(x,x)/2 - SDTW(y,y)/2 (Blondel, Mensch & Vert, AISTATS 2021); lengths differ."""
    x, y = random_batch(cost)
    settings = {"cost": cost, "gamma": gamma, "backend": backend}
    result = wlt.soft_dtw_loss(x, y, *LENGTHS, debias=True, reduction="none", **settings)
    for value, (a, b) in zip(result, pairs_of(x, y, *LENGTHS), strict=True):
        both, of_x, of_y = (wlt.soft_dtw_loss(*pair, **settings) for pair in ((a, b), (a, a), (b, b)))
        formula = (both - 0.5 * of_x - 0.5 * of_y).item()
        assert value.item() == pytest.approx(formula, rel=1e-9, abs=1e-9 * max(gamma, 1))
        expected = wl.divergence(a.numpy(), b.numpy(), cost=cost, gamma=gamma)
        assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(gamma, 1))
        assert value > 0
    assert wlt.soft_dtw_loss(x, x.clone(), debias=True, **settings) == 0
    module = wlt.SoftDTWLoss(debias=True, reduction="none", **settings)
    assert torch.equal(module(x, y, *LENGTHS), result)
    assert "debias=True" in repr(module)


@pytest.mark.parametrize("backend", BACKENDS)
def test_divergence_of_near_float32_series_does_not_cancel(backend):
    x, _ = random_batch("mse", 1, 200, 1, 5, dtype=torch.float32)
    y = x + 1e-3
    assert wlt.soft_dtw_loss(x, y, gamma=10) < -1000
    result = wlt.soft_dtw_loss(x, y, gamma=10, debias=True, backend=backend)
    truth = wlt.soft_dtw_loss(x.double(), y.double(), gamma=10, debias=True, backend="ops")
    assert result.dtype == torch.float32
    assert result.item() == pytest.approx(truth.item(), rel=1e-4)
    assert result >= 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", ["mse", "cosine", lambda x, y: torch.cdist(x, y)])
def test_gradcheck_of_the_divergence(cost, backend):
    x, y = random_batch("mse")

    def loss(x, y, gamma, weights):
        return wlt.soft_dtw_loss(
            x,
            y,
            *LENGTHS,
            cost=cost,
            gamma=gamma,
            step_weights=weights,
            debias=True,
            normalize="both",
            reduction="none",
            backend=backend,
        )

    gamma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([0.4, 1.0, 1.3], dtype=torch.float64, requires_grad=True)
    assert gradcheck(loss, (x.requires_grad_(), y.requires_grad_(), gamma, weights))


def test_the_divergence_is_least_at_the_target_as_the_bare_value_is_not():
    """Started at the target, gradient descent on SDTW leaves it; on the divergence there is no slope."""
    _, y = random_batch("mse", 2, 3, 12)
    slopes = []
    for debias in (False, True):
        x = y.clone().requires_grad_()
        slopes.append(torch.autograd.grad(wlt.soft_dtw_loss(x, y, debias=debias), x)[0].abs().max())
    assert slopes[0] > 0.01
    assert slopes[1] < 1e-12


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.0, 1.0, 1.5)])
@pytest.mark.parametrize("gamma", [0.0, 0.1, 10.0])
@pytest.mark.parametrize("cost", COSTS)
def test_sharp_value_is_the_mean_cost_of_the_alignments(cost, gamma, weights, backend):
    """<H,C> = SDTW + gamma entropy, which with unit weights is Blondel's <E,C>."""
    x, y = random_batch(cost)
    settings = {"cost": cost, "gamma": gamma, "step_weights": weights, "backend": backend}
    with torch.no_grad():
        bare = wlt.soft_dtw_loss(x, y, *LENGTHS, sharp=True, reduction="none", **settings)
    differentiable = wlt.soft_dtw_loss(
        x.requires_grad_(), y, *LENGTHS, sharp=True, reduction="none", **settings
    )
    torch.testing.assert_close(bare, differentiable.detach(), rtol=1e-10, atol=1e-10)
    for value, (a, b) in zip(bare, pairs_of(x, y, *LENGTHS), strict=True):
        truth = wl.align(a.numpy(), b.numpy(), cost=cost, gamma=gamma, step_weights=weights)
        assert value.item() == pytest.approx(truth.value + gamma * truth.entropy, rel=1e-9, abs=1e-9)
    if gamma == 0.0:
        torch.testing.assert_close(
            bare, wlt.soft_dtw_loss(x, y, *LENGTHS, reduction="none", **settings).detach()
        )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("debias", [False, True])
def test_gradcheck_of_the_sharp_value(debias, backend):
    x, y = random_batch("mse", B=2, N=4, M=3)

    def loss(x, y, gamma, weights):
        return wlt.soft_dtw_loss(
            x,
            y,
            [4, 2],
            [2, 3],
            gamma=gamma,
            step_weights=weights,
            sharp=True,
            debias=debias,
            reduction="none",
            backend=backend,
        )

    gamma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([0.4, 1.0, 1.3], dtype=torch.float64, requires_grad=True)
    assert gradcheck(loss, (x.requires_grad_(), y.requires_grad_(), gamma, weights))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("band", [None, wl.SakoeChiba(12.0)])
@pytest.mark.parametrize("cost", COSTS)
def test_the_core_gives_gradients_of_the_sharp_value_as_second_derivatives_do(cost, band, dtype):
    """Torch operations have them by differentiating SDTW twice."""
    x, y = random_batch(cost, B=3, N=41, M=37, D=6, dtype=dtype)
    settings = [torch.tensor(value, dtype=torch.float64) for value in (0.5, [0.3, 1.0, 1.2])]
    results = {}
    for backend, (a, b) in {"core": (x, y), "ops": (x.double(), y.double())}.items():
        inputs = [tensor.clone().requires_grad_() for tensor in (a, b, *settings)]
        loss = wlt.soft_dtw_loss(
            *inputs[:2],
            [41, 20, 33],
            [30, 37, 37],
            cost=cost,
            gamma=inputs[2],
            step_weights=inputs[3],
            band=band,
            sharp=True,
            backend=backend,
        )
        results[backend] = (loss, *torch.autograd.grad(loss, inputs))
    for got, expected in zip(results["core"], results["ops"], strict=True):
        tolerance = (1e-10 if dtype == torch.float64 else 1e-5) * (expected.abs().max().item() + 1e-3)
        torch.testing.assert_close(got.double(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
def test_sharp_value_of_costs_with_forbidden_cells_and_garbage_behind_the_lengths(backend):
    C = torch.rand(3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    C[0, 3, 0], C[1, 2] = torch.inf, torch.inf
    clean = wlt.soft_dtw_from_costs(C, [5, 5, 3], [4, 4, 2], sharp=True, reduction="none", backend=backend)
    C[2, 3:], C[2, :, 2:] = torch.nan, torch.nan
    C.requires_grad_()
    values = wlt.soft_dtw_from_costs(C, [5, 5, 3], [4, 4, 2], sharp=True, reduction="none", backend=backend)
    torch.testing.assert_close(values.detach(), clean)
    assert values.isinf().tolist() == [False, True, False]
    (gradient,) = torch.autograd.grad(values[0] + values[2], C)
    assert gradient.isfinite().all()
    assert not gradient[1].any()
    hard = C.detach()[0].requires_grad_()
    assert gradcheck(
        lambda weights: wlt.soft_dtw_from_costs(hard, step_weights=weights, sharp=True, backend=backend),
        (torch.tensor([0.4, 1.0, 1.3], dtype=torch.float64, requires_grad=True),),
    )
