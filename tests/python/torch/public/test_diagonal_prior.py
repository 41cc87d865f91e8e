"""The diagonal prior: its formula, its weight, and the gradients and padding that it leaves alone."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch

import warplens as wl
import warplens.torch as wlt

LENGTHS = ([6, 3, 1], [4, 4, 2])


def penalty(N, M, nu):
    """Return P by its definition, a cell at a time."""
    start = [math.ceil(Fraction(m * N, M)) for m in range(M + 1)]
    distance = [[max(start[m] - n, n - start[m + 1], 0) for m in range(M)] for n in range(N)]
    return 1 - np.exp(-np.square(np.array(distance, float)) / (2 * nu))


@pytest.mark.parametrize(("N", "M"), [(1, 1), (7, 3), (12, 4), (5, 5), (3, 7), (1, 4), (40, 1)])
def test_the_penalty_is_that_of_the_definition(N, M):
    result = wlt.DiagonalPrior("mse", 1.0, nu=3.0)(N, M)
    np.testing.assert_allclose(result.numpy(), penalty(N, M, 3.0), atol=1e-15)


@pytest.mark.parametrize(("N", "M"), [(9, 4), (11, 11), (100, 7)])
def test_equal_durations_pay_nothing(N, M):
    P = wlt.DiagonalPrior("mse", 1.0)(N, M).numpy()
    on_the_diagonal = np.linspace(0, M, N, endpoint=False).astype(int)
    assert (P[np.arange(N), on_the_diagonal] == 0).all()
    assert (np.diff(P[:, 0]) >= 0).all()
    assert (P < 1).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [LENGTHS, (None, None), (None, LENGTHS[1])])
@pytest.mark.parametrize("cost", ["mse", "bce", "l1", "euclidean"])
def test_it_is_added_to_the_costs_of_each_pair(cost, lengths, backend):
    x, y = random_batch(cost)
    prior = wlt.DiagonalPrior(cost, weight=2.5, nu=2.0)
    values = wlt.soft_dtw_loss(
        x, y, *lengths, cost=prior, gamma=0.5, step_weights=(0.1, 1, 1), reduction="none", backend=backend
    )
    frames, targets = (
        given if given is not None else [size] * 3 for given, size in zip(lengths, (6, 4), strict=True)
    )
    for value, a, b, N, M in zip(values, x, y, frames, targets, strict=True):
        C = [
            [wl.soft_dtw(a[n : n + 1].numpy(), b[m : m + 1].numpy(), cost=cost) for m in range(M)]
            for n in range(N)
        ]
        C = np.array(C) + 2.5 * penalty(N, M, 2.0)
        expected = wl.align_costs(C, gamma=0.5, step_weights=(0.1, 1, 1)).value
        assert value.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", ["mse", "bce_logits", "cosine", "poisson"])
def test_a_weight_of_nothing_changes_nothing(cost, backend):
    x, y = random_batch(cost)
    prior = wlt.DiagonalPrior(cost, weight=0.0)
    plain, result = (wlt.align(x, y, *LENGTHS, cost=c, gamma=0.3, backend=backend) for c in (cost, prior))
    for name in ("value", "h", "y_mod", "H", "E", "entropy"):
        torch.testing.assert_close(getattr(result, name), getattr(plain, name), msg=name)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", ["mse", "bce", "bce_logits", "poisson"])
def test_the_gradient_is_that_of_the_modified_targets(cost, backend):
    x, y = random_batch(cost)
    x.requires_grad_()
    prior = wlt.DiagonalPrior(cost, weight=3.0, nu=1.0)
    wlt.soft_dtw_loss(x, y, *LENGTHS, cost=prior, gamma=0.5, reduction="sum", backend=backend).backward()
    alignment = wlt.align(x, y, *LENGTHS, cost=prior, gamma=0.5, backend=backend)
    z = x.detach().requires_grad_()
    total = torch.zeros((), dtype=z.dtype)
    for b, n_frames in enumerate(LENGTHS[0]):
        for n in range(n_frames):
            frame = z[b, n : n + 1], alignment.y_mod[b, n : n + 1]
            total = total + alignment.h[b, n] * wlt.soft_dtw_loss(*frame, cost=cost, backend=backend)
    total.backward()
    torch.testing.assert_close(x.grad, z.grad)


@pytest.mark.parametrize("backend", BACKENDS)
def test_padding_is_never_read(backend):
    x, y = random_batch("mse")
    prior = wlt.DiagonalPrior("mse", weight=2.0, nu=2.0)
    one_by_one = [
        wlt.soft_dtw_loss(a[:n], b[:m], cost=prior, backend=backend)
        for a, b, n, m in zip(x, y, *LENGTHS, strict=True)
    ]
    for b, (n, m) in enumerate(zip(*LENGTHS, strict=True)):
        x[b, n:], y[b, m:] = torch.nan, torch.inf
    values = wlt.soft_dtw_loss(x, y, *LENGTHS, cost=prior, reduction="none", backend=backend)
    torch.testing.assert_close(values, torch.stack(one_by_one))


def test_a_strong_prior_leads_the_alignment_along_the_diagonal():
    x, y = torch.zeros(12, 2), torch.zeros(4, 2)
    # Everything costs nothing; the prior alone decides.
    H = wlt.align(x, y, cost=wlt.DiagonalPrior("mse", weight=1000.0, nu=0.5), gamma=0.01).H
    P = wlt.DiagonalPrior("mse", weight=1.0, nu=0.5)(12, 4)
    assert (H[P > 0] < 1e-6).all()
    assert (H.sum(dim=0) > 1).all()


def test_a_callable_cost_takes_a_prior_too():
    x, y = random_batch("mse")

    def squares(x, y):
        return 0.5 * torch.cdist(x, y) ** 2

    named, called = (
        wlt.soft_dtw_loss(x, y, *LENGTHS, cost=wlt.DiagonalPrior(cost, 2.0, nu=1.0))
        for cost in ("mse", squares)
    )
    torch.testing.assert_close(called, named)
    with pytest.raises(ValueError, match="no modified targets"):
        _ = wlt.align(x, y, cost=wlt.DiagonalPrior(squares, 2.0)).y_mod


def test_weights_over_features_still_count():
    x, y = random_batch("bce_logits")
    settings = {"pos_weight": [2.0, 1.0, 3.0], "feature_weights": [0.5, 1.0, 2.0]}
    plain = wlt.soft_dtw_loss(x, y, cost="bce_logits", **settings)
    prior = wlt.soft_dtw_loss(x, y, cost=wlt.DiagonalPrior("bce_logits", 0.0), **settings)
    torch.testing.assert_close(prior, plain)


def test_its_weight_belongs_to_the_state_of_the_loss():
    prior = wlt.DiagonalPrior("bce_logits", weight=0.1)
    loss = wlt.SoftDTWLoss(prior, gamma=0.5)
    assert "cost.weight" in loss.state_dict()
    loss.half()
    assert prior.weight.dtype == torch.float64
    other = wlt.SoftDTWLoss(wlt.DiagonalPrior("bce_logits", weight=3.0))
    other.load_state_dict(loss.state_dict())
    assert other.cost.weight.item() == 0.1
    assert repr(loss).count("bce_logits") == 2


@pytest.mark.parametrize("cast", ["half", "bfloat16", "float"])
def test_no_cast_rounds_its_weight(cast):
    alone, inside = wlt.DiagonalPrior("mse", 0.1), wlt.DiagonalPrior("mse", 0.1)
    getattr(alone, cast)()
    getattr(torch.nn.Sequential(inside, torch.nn.Linear(1, 1)), cast)()
    for prior in (alone, inside):
        assert (prior.weight.dtype, prior.weight.item()) == (torch.float64, 0.1)


def test_its_schedule_moves_the_weight():
    prior = wlt.DiagonalPrior("mse", weight=1.0)
    schedule = wlt.PiecewisePriorWeight.published(prior, steps_per_epoch=2)
    weights = []
    for _ in range(30):
        weights.append(prior.weight.item())
        assert schedule.get_last_weight() == weights[-1]
        schedule.step()
    np.testing.assert_allclose(weights, np.interp(np.arange(30), [10, 20], [3.0, 0.0]), atol=1e-12)
    assert weights[20:] == [0.0] * 10


def test_an_alignment_keeps_the_weight_it_was_made_with():
    x, y = random_batch("mse")
    prior = wlt.DiagonalPrior("mse", weight=2.0, nu=1.0)
    expected = wlt.align(x, y, cost=prior).H
    alignment = wlt.align(x, y, cost=prior)
    prior.weight.fill_(0.0)
    assert torch.equal(alignment.H, expected)


def test_bad_input_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"weight: is -1"):
        wlt.DiagonalPrior("mse", -1)
    with pytest.raises(ValueError, match=r"nu: is 0"):
        wlt.DiagonalPrior("mse", 1, nu=0)
    with pytest.raises(ValueError, match=r"cost: unknown cost 'mes'"):
        wlt.DiagonalPrior("mes", 1)
    with pytest.raises(TypeError, match=r"cost: is a DiagonalPrior already"):
        wlt.DiagonalPrior(wlt.DiagonalPrior("mse", 1), 1)
    x, y = random_batch("mse")
    with pytest.raises(ValueError, match=r"x\[0\]"):
        wlt.soft_dtw_loss(x, y, cost=wlt.DiagonalPrior("bce", 1.0))
