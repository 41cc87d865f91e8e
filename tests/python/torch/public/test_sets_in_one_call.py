"""Sets of series on the core: one compiled call for all pairs, with the gradients of the pairs one by one."""

import math

import pytest
import torch
from batches_of_pairs import random_batch
from torch.autograd import gradcheck, gradgradcheck

import warplens as wl
import warplens.torch as wlt
from warplens import _core

LENGTHS = (9, 1, 14, 5)


def series(cost, lengths, seed=0, dtype=torch.float64):
    return [random_batch(cost, 1, n, n, 2, seed=seed + i, dtype=dtype)[1][0] for i, n in enumerate(lengths)]


def one_by_one(xs, ys, **settings):
    """The matrix of losses of single pairs."""
    return torch.stack([torch.stack([wlt.soft_dtw_loss(x, y, **settings) for y in ys]) for x in xs])


def shares(rows, columns):
    """Factors of the values, one of them 0."""
    factors = torch.rand(rows, columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.3
    factors[0, -1] = 0.0
    return factors


@pytest.fixture
def no_blocks(monkeypatch):
    """Leave no room for gradients that come with the values: the core makes them in a call of their own."""
    monkeypatch.setattr("warplens.torch.pairwise._MOST_NUMBERS", 1)


# Symmetric ones, and those whose mirror images differ.
SETTINGS = [
    {"cost": "mse"},
    {"cost": "l1", "step_weights": (0.5, 0.5, 1.5)},
    {"cost": "cosine", "band": wl.SakoeChiba(14)},
    {"cost": "mse", "feature_weights": [0.5, 2.0], "feature_reduction": "mean"},
    {"cost": "mse", "step_weights": (0.1, 1.0, 1.0)},
    {"cost": "sqeuclidean", "gamma": 0.0},
    {"cost": "bce", "pos_weight": [2.0, 1.0]},
    {"cost": "mse", "band": wl.Itakura(20.0)},
]


@pytest.mark.usefixtures("no_blocks")
@pytest.mark.parametrize("sets", ["one", "two"])
@pytest.mark.parametrize("settings", SETTINGS)
def test_gradients_are_the_sums_of_those_of_the_pairs(settings, sets):
    xs = [x.requires_grad_() for x in series(settings["cost"], LENGTHS)]
    ys = None if sets == "one" else [y.requires_grad_() for y in series(settings["cost"], (4, 6, 2), seed=9)]
    gamma = torch.tensor(settings.get("gamma", 0.7), dtype=torch.float64, requires_grad=True)
    weights = settings.get("step_weights", (1.0, 1.0, 1.0))
    weights = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    settings = settings | {"gamma": gamma, "step_weights": weights}
    inputs = (*xs, *(ys or ()), gamma, weights)
    mine, expected = wlt.cdist(xs, ys, **settings), one_by_one(xs, ys or xs, **settings)
    torch.testing.assert_close(mine, expected, rtol=1e-12, atol=1e-12)
    factors = shares(*mine.shape)
    got = torch.autograd.grad((factors * mine).sum(), inputs)
    for each, right in zip(got, torch.autograd.grad((factors * expected).sum(), inputs), strict=True):
        torch.testing.assert_close(each, right, rtol=1e-9, atol=1e-10)


def test_float32_gradients_are_those_of_float64():
    xs = torch.nn.utils.rnn.pad_sequence(series("mse", (90, 31, 64)), batch_first=True)
    results = []
    for dtype in (torch.float32, torch.float64):
        x = xs.to(dtype).requires_grad_()
        matrix = wlt.cdist(x, x_lengths=[90, 31, 64], gamma=0.1)
        assert matrix.dtype == dtype
        (gradient,) = torch.autograd.grad((shares(3, 3) * matrix).sum(), x)
        assert gradient.dtype == dtype
        assert not gradient[1, 31:].any()
        results.append(gradient.double())
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("no_blocks")
@pytest.mark.parametrize("sets", ["one", "two"])
def test_gradcheck_and_gradgradcheck(sets):
    x, y = random_batch("mse", B=3, N=4, M=3, D=2)
    y = None if sets == "one" else y.requires_grad_()
    gamma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([0.8, 0.8, 1.3], dtype=torch.float64, requires_grad=True)

    def matrix(x, y, gamma, weights):
        lengths = None if y is None else [3, 2, 1]
        return wlt.cdist(x, y, [4, 2, 3], lengths, gamma=gamma, step_weights=weights)

    assert gradcheck(matrix, (x.requires_grad_(), y, gamma, weights))
    assert gradgradcheck(matrix, (x, y, gamma, weights))


def test_many_factors_at_once():
    x = random_batch("mse", B=3, N=4, D=2)[0].requires_grad_()
    matrix = wlt.cdist(x)
    factors = torch.stack([shares(3, 3), shares(3, 3).T])
    (both,) = torch.autograd.grad(matrix, x, factors, is_grads_batched=True, retain_graph=True)
    for factor, result in zip(factors, both, strict=True):
        torch.testing.assert_close(result, torch.autograd.grad(matrix, x, factor, retain_graph=True)[0])


def test_a_pair_without_a_path_is_infinite_and_has_no_gradient():
    xs = [x.requires_grad_() for x in series("mse", (9, 3, 8))]
    band = wl.SakoeChiba(1)
    matrix = wlt.cdist(xs, band=band, gamma=0.5)
    assert matrix.isinf().tolist() == [[False, True, False], [True, False, True], [False, True, False]]
    got = torch.autograd.grad(matrix.sum(), xs)
    paths = [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)]
    one = sum(wlt.soft_dtw_loss(xs[i], xs[j], band=band, gamma=0.5) for i, j in paths)
    for each, right in zip(got, torch.autograd.grad(one, xs), strict=True):
        torch.testing.assert_close(each, right, rtol=1e-9, atol=1e-10)


def test_nan_stays_with_its_series_and_a_pair_of_share_0_adds_nothing():
    x = random_batch("mse", B=3, N=5, D=2)[0]
    x[1, 2, 0] = math.nan
    matrix = wlt.cdist(x.requires_grad_())
    assert matrix.isnan().tolist() == [[False, True, False], [True, True, True], [False, True, False]]
    (gradient,) = torch.autograd.grad(matrix[::2, ::2].sum(), x)
    assert not gradient[1].any()
    assert gradient[::2].isfinite().all()


@pytest.fixture
def calls(monkeypatch):
    """Names of the compiled functions that are called, with those of the outputs."""
    names = []

    def counted(name, function):
        def call(*args, **kwargs):
            names.append(" ".join([name, *kwargs.get("outputs", ())]))
            return function(*args, **kwargs)

        return call

    for name in ("align_padded", "costs_padded", "pairwise_values", "pairwise_gradients", "barycenter_sums"):
        monkeypatch.setattr(_core, name, counted(name, getattr(_core, name)))
    return names


def test_all_pairs_are_one_call_forward_and_one_back(calls, monkeypatch):
    monkeypatch.setattr("warplens.torch.pairwise._MOST_NUMBERS", 200)
    x = random_batch("mse", B=12, N=20, D=2)[0].requires_grad_()
    wlt.cdist(x).sum().backward()
    assert calls == ["pairwise_values", "pairwise_gradients"]
    calls.clear()
    wlt.cdist(x, x.detach()).sum().backward()
    assert calls == ["pairwise_values", "pairwise_gradients"]


def test_two_sets_that_fit_have_values_and_gradients_of_one_call(calls):
    x, y = random_batch("mse", B=12, N=20, D=2)
    wlt.cdist(x.requires_grad_(), y).sum().backward()
    assert calls == ["align_padded x_grad"]
    calls.clear()
    wlt.cdist(x.detach(), y)
    assert calls == ["pairwise_values"]


def test_each_step_of_a_barycenter_is_one_call(calls):
    wlt.barycenter(series("mse", LENGTHS), max_iterations=7, tolerance=0)
    assert calls == ["barycenter_sums"] * 7


def test_one_set_is_half_the_pairs():
    """Mirror images are computed once: values and gradients of a set are symmetric to the bit."""
    x = random_batch("mse", B=5, N=30, D=3)[0]
    matrix = wlt.cdist(x)
    assert torch.equal(matrix, matrix.T)
    assert torch.equal(matrix, wlt.cdist(x, x))
    assert not torch.equal(wlt.cdist(x, step_weights=(0.1, 1, 1)), wlt.cdist(x, step_weights=(0.1, 1, 1)).T)
    lengths = [30, 12, 5, 30, 1]
    assert wlt.cdist(x, x, lengths)[0, 1] != wlt.cdist(x, x, lengths, lengths)[0, 1]
    assert torch.equal(wlt.cdist(x, x, lengths, lengths), wlt.cdist(x, x_lengths=lengths))


@pytest.mark.parametrize(
    ("settings", "outputs"),
    [
        ({}, "x_grad"),
        ({"step_weights": (0.1, 1.0, 1.0)}, "x_grad y_grad"),
        ({"band": wl.Itakura(20.0)}, "x_grad y_grad"),
    ],
)
def test_a_divergence_makes_one_gradient_of_a_sequence_with_itself(settings, outputs, calls):
    x, y = random_batch("mse", B=2, N=7, M=5)
    (gradient,) = torch.autograd.grad(
        wlt.soft_dtw_loss(x.requires_grad_(), y, debias=True, reduction="sum", **settings), x
    )
    assert calls == ["align_padded x_grad", f"align_padded {outputs}", "align_padded"]
    other = x.detach().clone().requires_grad_()  # another tensor: both gradients are asked for
    with_itself = wlt.soft_dtw_loss(x, other, reduction="sum", **settings)
    both = wlt.soft_dtw_loss(x, y, reduction="sum", **settings) - 0.5 * with_itself
    of_x, of_other = torch.autograd.grad(both, (x, other))
    torch.testing.assert_close(gradient, of_x + of_other, rtol=1e-12, atol=1e-12)
