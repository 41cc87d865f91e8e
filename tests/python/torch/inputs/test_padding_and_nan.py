"""Padding is never read, NaN stays in its own pair, and a pair without a path is +inf with gradient 0."""

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles.costs import COSTS, COSTS_WITH_TARGETS

import warplens as wl
import warplens.torch as wlt

X_LENGTHS, Y_LENGTHS = [6, 3, 1], [4, 1, 2]
GARBAGE = [0.3, 1e30, -7.0, float("inf"), float("-inf"), float("nan")]


def padded(frames, lengths, garbage):
    outside = torch.arange(frames.shape[1]) >= torch.tensor(lengths)[:, None]
    return frames.masked_fill(outside.unsqueeze(2), garbage)


def everything(x, y, cost, backend):
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    gamma = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([0.5, 1.0, 1.0], dtype=torch.float64, requires_grad=True)
    loss = wlt.soft_dtw_loss(
        x,
        y,
        X_LENGTHS,
        Y_LENGTHS,
        cost=cost,
        gamma=gamma,
        step_weights=weights,
        reduction="none",
        backend=backend,
    )
    loss.sum().backward()
    a = wlt.align(x, y, X_LENGTHS, Y_LENGTHS, cost=cost, gamma=gamma, step_weights=weights, backend=backend)
    computed = [loss.detach(), x.grad, y.grad, gamma.grad, weights.grad]
    computed += [a.value, a.h, a.H, a.E, a.H_tilde, a.entropy]
    return [*computed, a.y_mod] if cost in COSTS_WITH_TARGETS else computed


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cost", COSTS)
def test_what_stands_in_the_padding_changes_nothing(cost, dtype, backend):
    x, y = random_batch(cost, dtype=dtype)
    expected = everything(x, y, cost, backend)
    assert all(result.isfinite().all() for result in expected)
    for garbage in GARBAGE:
        computed = everything(padded(x, X_LENGTHS, garbage), padded(y, Y_LENGTHS, garbage), cost, backend)
        for mine, truth in zip(computed, expected, strict=True):
            assert torch.equal(mine, truth), garbage
    x_grad, y_grad = expected[1:3]
    assert torch.equal(x_grad, padded(x_grad, X_LENGTHS, 0.0))
    assert torch.equal(y_grad, padded(y_grad, Y_LENGTHS, 0.0))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", ["mse", "bce", "euclidean"])
def test_a_pair_does_not_know_how_far_it_is_padded(cost, backend):
    x, y = random_batch(cost, N=9, M=8)
    lengths = torch.tensor([6, 3, 1]), torch.tensor([4, 1, 2])
    short = wlt.soft_dtw_loss(x[:, :6], y[:, :4], *lengths, cost=cost, reduction="none", backend=backend)
    long = wlt.soft_dtw_loss(x, y, *lengths, cost=cost, reduction="none", backend=backend)
    torch.testing.assert_close(short, long, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("garbage", GARBAGE)
def test_padded_costs_are_not_read(garbage, backend):
    C = torch.rand(3, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    outside = (torch.arange(6)[:, None] >= torch.tensor(X_LENGTHS)[:, None, None]) | (
        torch.arange(4) >= torch.tensor(Y_LENGTHS)[:, None, None]
    )
    computed = []
    for costs in (C, C.masked_fill(outside, garbage)):
        costs = costs.clone().requires_grad_()
        value = wlt.soft_dtw_from_costs(costs, X_LENGTHS, Y_LENGTHS, reduction="none", backend=backend)
        value.sum().backward()
        computed.append((value, costs.grad))
    assert torch.equal(computed[0][0], computed[1][0])
    assert torch.equal(computed[0][1], computed[1][1])
    assert not computed[0][1][outside].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_callable_cost_meets_no_garbage(backend):
    x, y = random_batch("bce")

    def cost(x, y):
        assert x.isfinite().all()
        assert y.isfinite().all()
        return -(x.log().unsqueeze(2) * y.unsqueeze(1)).sum(-1)

    results = []
    for garbage in (0.5, float("nan")):
        mine = padded(x, X_LENGTHS, garbage).requires_grad_()
        value = wlt.soft_dtw_loss(
            mine, padded(y, Y_LENGTHS, garbage), X_LENGTHS, Y_LENGTHS, cost=cost, backend=backend
        )
        value.backward()
        results.append((value, mine.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gamma", [0.0, 1.0])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("side", ["x", "y"])
def test_nan_stays_in_its_own_pair(side, cost, gamma, backend):
    x, y = random_batch(cost)
    clean = x.clone().requires_grad_()
    truth = wlt.soft_dtw_loss(clean, y, cost=cost, gamma=gamma, reduction="none", backend=backend)
    truth.sum().backward()
    (x if side == "x" else y)[1, 2, 1] = float("nan")
    x.requires_grad_()
    values = wlt.soft_dtw_loss(x, y, cost=cost, gamma=gamma, reduction="none", backend=backend)
    values.sum().backward()
    alignment = wlt.align(x, y, cost=cost, gamma=gamma, backend=backend)
    assert values.isnan().tolist() == [False, True, False]
    assert x.grad[1].isnan().any()
    assert alignment.h[1].isnan().all()
    for mine, expected in ((values, truth), (x.grad, clean.grad)):
        torch.testing.assert_close(mine[[0, 2]], expected[[0, 2]], rtol=1e-12, atol=1e-12)
    for result in (alignment.h, alignment.H, alignment.E, alignment.entropy):
        assert result[[0, 2]].isfinite().all()


def without_path(dtype=torch.float64):
    """Three cost matrices, the second cut in two by a row of +inf."""
    C = torch.rand(3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=dtype)
    C[1, 2] = torch.inf
    return C


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gamma", [0.0, 1.0])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.0, 1.0, 1.0)])
def test_a_pair_without_a_path_is_infinite_with_gradient_zero(weights, gamma, backend):
    inputs = [
        without_path().requires_grad_(),
        torch.tensor(gamma, dtype=torch.float64, requires_grad=True),
        torch.tensor(weights, dtype=torch.float64, requires_grad=True),
    ]

    def losses(zero_infinity):
        C, gamma, weights = inputs
        return wlt.soft_dtw_from_costs(
            C,
            gamma=gamma,
            step_weights=weights,
            reduction="none",
            zero_infinity=zero_infinity,
            backend=backend,
        )

    plain, zeroed = losses(False), losses(True)
    assert plain.isinf().tolist() == [False, True, False]
    assert plain[1] > 0
    assert zeroed[1] == 0.0
    assert torch.equal(plain[[0, 2]], zeroed[[0, 2]])
    for values in (plain, zeroed):
        gradients = torch.autograd.grad(values[1], inputs, retain_graph=True)
        assert not any(gradient.any() for gradient in gradients)
        gradients = torch.autograd.grad(values.mean(), inputs)
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert gradients[0][[0, 2]].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_band_without_a_path_in_one_pair(backend):
    x, y = random_batch("mse", N=9, M=4)
    # Pair 1 is 9 frames against 2: no cell of the fourth and fifth row lies within 2 frames of the line.
    arguments = {"band": wl.SakoeChiba(2), "backend": backend}
    values = wlt.soft_dtw_loss(x, y, [9, 9, 4], [4, 2, 4], reduction="none", **arguments)
    assert values.isinf().tolist() == [False, True, False]
    alignment = wlt.align(x, y, [9, 9, 4], [4, 2, 4], **arguments)
    assert alignment.value.isinf().tolist() == [False, True, False]
    for name in ("h", "H", "E", "H_tilde", "y_mod", "entropy"):
        result = getattr(alignment, name)
        assert not result[1].any()
        assert result.isfinite().all()
    assert wlt.soft_dtw_loss(x, y, [9, 9, 4], [4, 2, 4], zero_infinity=True, **arguments).isfinite()


def test_lengths_that_could_not_be_read_leave_no_path(monkeypatch):
    """As on a device, where nothing waits to read them."""
    monkeypatch.setattr("warplens.torch.inputs.batches.values_are_readable", lambda tensor: False)
    x, y = random_batch("mse")
    values = wlt.soft_dtw_loss(
        x, y, [6, 0, 7], [4, 4, 4], reduction="none", normalize="x_length", backend="ops"
    )
    assert values.isinf().tolist() == [False, True, True]
    assert (values[1:] > 0).all()
