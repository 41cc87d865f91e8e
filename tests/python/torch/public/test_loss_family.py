"""Divergence, sharp value, pairwise matrix, barycenter: the published formulas, the NumPy twins, tslearn."""

import re

import numpy as np
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
    found = wlt.soft_dtw_loss(x, y, *LENGTHS, debias=True, reduction="none", **settings)
    for value, (a, b) in zip(found, pairs_of(x, y, *LENGTHS), strict=True):
        both, of_x, of_y = (wlt.soft_dtw_loss(*pair, **settings) for pair in ((a, b), (a, a), (b, b)))
        formula = (both - 0.5 * of_x - 0.5 * of_y).item()
        assert value.item() == pytest.approx(formula, rel=1e-9, abs=1e-9 * max(gamma, 1))
        twin = wl.divergence(a.numpy(), b.numpy(), cost=cost, gamma=gamma)
        assert value.item() == pytest.approx(twin, rel=1e-9, abs=1e-9 * max(gamma, 1))
        assert value > 0
    assert wlt.soft_dtw_loss(x, x.clone(), debias=True, **settings) == 0
    module = wlt.SoftDTWLoss(debias=True, reduction="none", **settings)
    assert torch.equal(module(x, y, *LENGTHS), found)
    assert "debias=True" in repr(module)


@pytest.mark.parametrize("backend", BACKENDS)
def test_divergence_of_near_float32_series_does_not_cancel(backend):
    x, _ = random_batch("mse", 1, 200, 1, 5, dtype=torch.float32)
    y = x + 1e-3
    assert wlt.soft_dtw_loss(x, y, gamma=10) < -1000
    found = wlt.soft_dtw_loss(x, y, gamma=10, debias=True, backend=backend)
    truth = wlt.soft_dtw_loss(x.double(), y.double(), gamma=10, debias=True, backend="ops")
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(truth.item(), rel=1e-4)
    assert found >= 0


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


def series(cost, lengths, seed=0, dtype=torch.float64):
    return [random_batch(cost, 1, n, n, 2, seed=seed + i, dtype=dtype)[1][0] for i, n in enumerate(lengths)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", COSTS)
def test_cdist_holds_every_pair(cost, backend):
    xs, ys = series(cost, (9, 1, 14, 5)), series(cost, (4, 6, 2), seed=9)
    settings = {"cost": cost, "gamma": 0.5, "step_weights": (0.5, 1.5, 1.0)}
    found = wlt.cdist(xs, ys, **settings, backend=backend)
    twin = wl.cdist([x.numpy() for x in xs], [y.numpy() for y in ys], **settings)
    np.testing.assert_allclose(found.numpy(), twin, rtol=1e-9, atol=1e-9)
    padded = torch.nn.utils.rnn.pad_sequence(xs, batch_first=True, padding_value=torch.nan)
    assert torch.equal(found, wlt.cdist(padded, ys, [9, 1, 14, 5], **settings, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_cdist_of_one_set_is_symmetric_and_keeps_its_dtype(backend):
    xs = series("mse", (9, 4, 14), dtype=torch.float32)
    found = wlt.cdist(xs, backend=backend)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, found.T)
    assert torch.equal(found, wlt.cdist(xs, xs, backend=backend))
    padded = torch.nn.utils.rnn.pad_sequence(xs, batch_first=True)
    assert torch.equal(found, wlt.cdist(padded, x_lengths=[9, 4, 14], backend=backend))
    assert wlt.cdist([x.bfloat16() for x in xs]).dtype == torch.bfloat16


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("numbers", [2**24, 200])
def test_gradients_of_cdist_in_one_block_or_many(numbers, backend, monkeypatch):
    monkeypatch.setattr("warplens.torch.family._MOST_NUMBERS", numbers)
    xs, ys = series("mse", (5, 1, 7, 3)), series("mse", (4, 6), seed=9)
    inputs = [each.requires_grad_() for each in (*xs, *ys)]
    gamma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    factors = torch.rand(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = torch.autograd.grad(
        (factors * wlt.cdist(xs, ys, gamma=gamma, backend=backend)).sum(), (*inputs, gamma)
    )
    one_by_one = sum(
        factors[i, j] * wlt.soft_dtw_loss(x, y, gamma=gamma, backend=backend)
        for i, x in enumerate(xs)
        for j, y in enumerate(ys)
    )
    for mine, expected in zip(found, torch.autograd.grad(one_by_one, (*inputs, gamma)), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("changed", ["gamma", "step_weights", "feature_weights", "prior"])
def test_what_changes_before_backward_changes_no_gradient_of_cdist(changed, backend, monkeypatch):
    """Blocks are computed again in backward, with what held in forward."""
    monkeypatch.setattr("warplens.torch.family._MOST_NUMBERS", 200)
    xs, ys = series("mse", (5, 3)), series("mse", (4, 6), seed=9)
    prior = wlt.DiagonalPrior("mse", weight=1.0, nu=1.0)
    moving = {
        "gamma": torch.tensor(2.0, dtype=torch.float64),
        "step_weights": torch.tensor([0.5, 1.0, 1.5], dtype=torch.float64),
        "feature_weights": torch.tensor([0.5, 2.0], dtype=torch.float64),
    }

    def gradient(move):
        inputs = [each.clone().requires_grad_() for each in xs]
        distances = wlt.cdist(inputs, ys, cost=prior, **moving, backend=backend)
        if move:
            {**moving, "prior": prior.weight}[changed].mul_(0.1)
        return torch.autograd.grad(distances.sum(), inputs)

    for expected, found in zip(gradient(False), gradient(True), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_cdist_of_series_changed_before_backward_is_refused(monkeypatch):
    monkeypatch.setattr("warplens.torch.family._MOST_NUMBERS", 200)
    x, y = torch.rand(3, 5, 2, requires_grad=True), torch.rand(4, 6, 2)
    distances = wlt.cdist(x, y)
    y.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        distances.sum().backward()


MEANS = ("mse", "sqeuclidean", "bce", "poisson")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", MEANS)
@pytest.mark.parametrize(
    ("gamma", "step_weights"), [(0.0, (1, 1, 1)), (0.5, (1, 1, 1)), (5.0, (0.2, 1, 1.5))]
)
def test_a_barycenter_is_that_of_numpy(cost, gamma, step_weights, backend):
    xs, weights = series(cost, (10, 13, 1, 16)), [1.0, 2.0, 0.0, 0.5]
    settings = {"cost": cost, "gamma": gamma, "step_weights": step_weights, "max_iterations": 20}
    found = wlt.barycenter(xs, weights, **settings, backend=backend)
    twin = wl.barycenter([x.numpy() for x in xs], weights, **settings)
    np.testing.assert_allclose(found.numpy(), twin, rtol=1e-7, atol=1e-7)
    padded = torch.nn.utils.rnn.pad_sequence(xs, batch_first=True, padding_value=torch.nan)
    again = wlt.barycenter(padded, torch.tensor(weights), [10, 13, 1, 16], **settings, backend=backend)
    torch.testing.assert_close(again, found)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_barycenter_is_a_point_without_slope(backend):
    xs = series("mse", (10, 13, 16))
    z = wlt.barycenter(xs, gamma=0.5, tolerance=0, max_iterations=4000, backend=backend).requires_grad_()
    (slope,) = torch.autograd.grad(wlt.cdist([z], xs, gamma=0.5, backend=backend).mean(), z)
    assert slope.abs().max() < 1e-4


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("s", [1e-4, 1e3])
def test_a_barycenter_follows_the_scale_of_its_series(s, backend):
    """MSE is homogeneous: data times s and gamma times s^2 give z times s, after as many iterations."""
    xs = series("mse", (10, 13, 16))
    for gamma in (0.0, 0.1, 5.0):
        z = wlt.barycenter(xs, gamma=gamma, backend=backend)
        scaled = wlt.barycenter([s * x for x in xs], gamma=s * s * gamma, backend=backend)
        torch.testing.assert_close(scaled / s, z, rtol=1e-8, atol=1e-8)


def test_shape_dtype_and_start_of_a_barycenter():
    xs = series("mse", (10, 13, 16), dtype=torch.float32)
    found = wlt.barycenter([x.requires_grad_() for x in xs])
    assert (found.shape, found.dtype, found.requires_grad) == ((13, 2), torch.float32, False)
    assert wlt.barycenter(xs, length=7).shape == (7, 2)
    assert wlt.barycenter(xs, [0, 0, 1]).shape == (16, 2)
    assert wlt.barycenter(xs, init=torch.zeros(5, 2)).shape == (5, 2)
    torch.testing.assert_close(wlt.barycenter(xs, [0, 1, 0]), wlt.barycenter(xs[1:2]), rtol=0, atol=1e-5)


X = torch.zeros(4, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: wlt.soft_dtw_loss(X, X, cost="bce", debias=True),
            ValueError,
            "debias: a divergence needs a symmetric cost (mse, sqeuclidean, cosine, euclidean, l1, or a",
        ),
        (
            lambda: wlt.SoftDTWLoss(wlt.DiagonalPrior("mse", 1.0), debias=True),
            ValueError,
            "debias: a divergence needs a symmetric cost; a DiagonalPrior is none",
        ),
        (lambda: wlt.SoftDTWLoss("ce", debias=True), ValueError, "not 'ce'"),
        (lambda: wlt.cdist([]), ValueError, "xs: is empty; at least one series"),
        (lambda: wlt.cdist(X), ValueError, "xs: has shape (4, 2); tensors (frames, features), or one tensor"),
        (lambda: wlt.cdist({}), TypeError, "xs: is a dict; tensors (frames, features)"),
        (lambda: wlt.cdist([X, X[0]]), ValueError, "xs[1]: has shape (2,); (frames, features) is accepted"),
        (lambda: wlt.cdist([X, X.numpy()]), TypeError, "xs[1]: is a ndarray; a torch.Tensor is accepted"),
        (lambda: wlt.cdist([X, X[:0]]), ValueError, "xs[1]: has shape (0, 2); at least one frame"),
        (
            lambda: wlt.cdist([X, X[:, :1]]),
            ValueError,
            "xs[1]: has D = 1, but xs[0] has 2; all need the same",
        ),
        (
            lambda: wlt.cdist([X, X.double()]),
            ValueError,
            "xs[1]: is torch.float64 on cpu, xs[0] torch.float32",
        ),
        (lambda: wlt.cdist([X], [X[:, :1]]), ValueError, "ys: has D = 1 features, but xs has 2"),
        (lambda: wlt.cdist([X], [X.to("meta")]), ValueError, "ys: is on meta, xs on cpu"),
        (lambda: wlt.cdist([X], x_lengths=[4]), ValueError, "xs: is a list, whose series know their lengths"),
        (lambda: wlt.cdist(X[None], x_lengths=[5]), ValueError, "lengths of xs: entry 0 is 5"),
        (lambda: wlt.cdist([X], [X, X + 2], cost="bce"), ValueError, "ys[1]: is 2.0 at index (0, 0)"),
        (
            lambda: wlt.barycenter([X], cost="l1"),
            ValueError,
            "cost: a barycenter takes mse, sqeuclidean, bce",
        ),
        (
            lambda: wlt.barycenter([X, X], [1]),
            ValueError,
            "weights: has shape (1,); one number for each of 2",
        ),
        (lambda: wlt.barycenter([X, X], [1, -1]), ValueError, "weights: finite numbers, none negative"),
        (lambda: wlt.barycenter([X, X], [0, 0]), ValueError, "not all 0"),
        (
            lambda: wlt.barycenter([X], length=0),
            ValueError,
            "length: is 0; a whole number",
        ),
        (
            lambda: wlt.barycenter([X], max_iterations=0),
            ValueError,
            "max_iterations: is 0; a whole number",
        ),
        (lambda: wlt.barycenter([X], tolerance=float("nan")), ValueError, "tolerance: is nan"),
        (lambda: wlt.barycenter([X], length=2.5), TypeError, "length: is 2.5; a whole number"),
        (
            lambda: wlt.barycenter([X, X[:2] * torch.nan]),
            ValueError,
            "xs[1]: is nan at index (0, 0); finite numbers are accepted",
        ),
        (lambda: wlt.barycenter([X], init=X * torch.nan), ValueError, "init[0]: is nan at index (0, 0)"),
        (lambda: wlt.barycenter([X], init=X[:, :1]), ValueError, "init: has D = 1 features, but xs has 2"),
        (
            lambda: wlt.barycenter([torch.zeros(9, 2)], init=X[:2], band=wl.SakoeChiba(2)),
            ValueError,
            "band: leaves no path between a barycenter of 2 frames and some series",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


# --- against tslearn, in the bench extra --------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0])
def test_the_pairwise_matrix_and_the_divergence_of_tslearn(gamma):
    metrics = pytest.importorskip("tslearn.metrics")
    xs = torch.stack(series("mse", (8, 8, 8)))
    ys = torch.stack(series("mse", (5, 5), seed=7))
    settings = {"cost": "sqeuclidean", "gamma": gamma}
    theirs = metrics.cdist_soft_dtw(xs.numpy(), ys.numpy(), gamma=gamma)
    np.testing.assert_allclose(wlt.cdist(xs, ys, **settings).numpy(), theirs, rtol=1e-9)
    theirs = metrics.cdist_soft_dtw_normalized(xs.numpy(), gamma=gamma)
    mine = wlt.soft_dtw_loss(
        xs.repeat_interleave(3, 0), xs.repeat(3, 1, 1), debias=True, reduction="none", **settings
    )
    np.testing.assert_allclose(mine.view(3, 3).numpy(), theirs, rtol=1e-9, atol=1e-9)


def test_the_barycenter_of_tslearn_lies_no_lower():
    barycenters = pytest.importorskip("tslearn.barycenters")
    xs = series("mse", (9, 9, 9))
    start = torch.stack(xs).mean(0)
    theirs = barycenters.softdtw_barycenter(
        torch.stack(xs).numpy(), gamma=1.0, init=start.numpy(), max_iter=200, tol=1e-9
    )
    mine = wlt.barycenter(xs, init=start, cost="sqeuclidean", tolerance=1e-12, max_iterations=2000)
    settings = {"cost": "sqeuclidean", "gamma": 1.0}
    objectives = [wlt.cdist([z], xs, **settings).mean().item() for z in (mine, torch.from_numpy(theirs))]
    assert objectives[0] <= objectives[1] + 1e-6 * abs(objectives[1])
