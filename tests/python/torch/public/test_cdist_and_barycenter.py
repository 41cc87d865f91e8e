"""Pairwise matrix and barycenter: soft DTW pair by pair, the NumPy functions, tslearn; bad input."""

import re

import numpy as np
import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles.costs import COSTS

import warplens as wl
import warplens.torch as wlt


def series(cost, lengths, seed=0, dtype=torch.float64):
    return [random_batch(cost, 1, n, n, 2, seed=seed + i, dtype=dtype)[1][0] for i, n in enumerate(lengths)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", COSTS)
def test_cdist_holds_every_pair(cost, backend):
    xs, ys = series(cost, (9, 1, 14, 5)), series(cost, (4, 6, 2), seed=9)
    settings = {"cost": cost, "gamma": 0.5, "step_weights": (0.5, 1.5, 1.0)}
    result = wlt.cdist(xs, ys, **settings, backend=backend)
    expected = wl.cdist([x.numpy() for x in xs], [y.numpy() for y in ys], **settings)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-9, atol=1e-9)
    padded = torch.nn.utils.rnn.pad_sequence(xs, batch_first=True, padding_value=torch.nan)
    assert torch.equal(result, wlt.cdist(padded, ys, [9, 1, 14, 5], **settings, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_cdist_of_one_set_is_symmetric_and_keeps_its_dtype(backend):
    xs = series("mse", (9, 4, 14), dtype=torch.float32)
    result = wlt.cdist(xs, backend=backend)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, result.T)
    assert torch.equal(result, wlt.cdist(xs, xs, backend=backend))
    padded = torch.nn.utils.rnn.pad_sequence(xs, batch_first=True)
    assert torch.equal(result, wlt.cdist(padded, x_lengths=[9, 4, 14], backend=backend))
    assert wlt.cdist([x.bfloat16() for x in xs]).dtype == torch.bfloat16


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("numbers", [2**24, 200])
def test_gradients_of_cdist_in_one_block_or_many(numbers, backend, monkeypatch):
    monkeypatch.setattr("warplens.torch.pairwise._MOST_NUMBERS", numbers)
    xs, ys = series("mse", (5, 1, 7, 3)), series("mse", (4, 6), seed=9)
    inputs = [each.requires_grad_() for each in (*xs, *ys)]
    gamma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    factors = torch.rand(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = torch.autograd.grad(
        (factors * wlt.cdist(xs, ys, gamma=gamma, backend=backend)).sum(), (*inputs, gamma)
    )
    one_by_one = sum(
        factors[i, j] * wlt.soft_dtw_loss(x, y, gamma=gamma, backend=backend)
        for i, x in enumerate(xs)
        for j, y in enumerate(ys)
    )
    for mine, expected in zip(result, torch.autograd.grad(one_by_one, (*inputs, gamma)), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("changed", ["gamma", "step_weights", "feature_weights", "prior"])
def test_what_changes_before_backward_changes_no_gradient_of_cdist(changed, backend, monkeypatch):
    """Blocks are computed again in backward, with the settings of forward."""
    monkeypatch.setattr("warplens.torch.pairwise._MOST_NUMBERS", 200)
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

    for expected, result in zip(gradient(False), gradient(True), strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)


def test_cdist_of_series_changed_before_backward_is_refused(monkeypatch):
    monkeypatch.setattr("warplens.torch.pairwise._MOST_NUMBERS", 200)
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
    result = wlt.barycenter(xs, weights, **settings, backend=backend)
    expected = wl.barycenter([x.numpy() for x in xs], weights, **settings)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-7, atol=1e-7)
    padded = torch.nn.utils.rnn.pad_sequence(xs, batch_first=True, padding_value=torch.nan)
    repeated = wlt.barycenter(padded, torch.tensor(weights), [10, 13, 1, 16], **settings, backend=backend)
    torch.testing.assert_close(repeated, result)


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
    result = wlt.barycenter([x.requires_grad_() for x in xs])
    assert (result.shape, result.dtype, result.requires_grad) == ((13, 2), torch.float32, False)
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
