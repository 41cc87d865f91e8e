"""Derivatives by the general model: first and second ones in all parameters, and laws of the value."""

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from model_batches import LENGTHS, random_parameters
from torch import nn

import warplens as wl
import warplens.torch as wlt


def few(seed):
    parameters = random_parameters(seed, B=2, N=3, M=2, steps=3, inf=0.0)
    with torch.no_grad():
        parameters.gamma.fill_(0.7)
    return parameters


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(3))
def test_gradcheck_and_gradgradcheck_of_every_parameter(seed, backend):
    parameters = few(seed)

    def loss(*tensors):
        return parameters.of(tensors).loss(([3, 2], [2, 2]), backend=backend)

    assert torch.autograd.gradcheck(loss, parameters.tensors())
    # Along random directions: every pair of all these numbers takes minutes.
    assert torch.autograd.gradgradcheck(loss, parameters.tensors(), fast_mode=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", ["mse", "bce_logits", "l1", "euclidean"])
def test_gradcheck_of_sequences_penalties_and_skips(cost, backend):
    x, y = random_batch(cost, B=2, N=3, M=2, D=2)
    others = [torch.tensor(t, dtype=torch.float64) for t in ([0.2, 0.3, -0.1], [0.1, 0.4], 0.6)]
    inputs = [tensor.requires_grad_() for tensor in (x, y, *others)]

    def loss(x, y, penalties, skip, gamma):
        settings = {
            "step_penalties": penalties,
            "open_begin": "both",
            "open_end": "both",
            "skip_penalty": skip,
        }
        y = y.sigmoid() if cost == "bce_logits" else y
        return wlt.soft_dtw_loss(
            x, y, [3, 2], [2, 1], cost=cost, gamma=gamma, reduction="none", backend=backend, **settings
        )

    assert torch.autograd.gradcheck(loss, inputs)
    assert torch.autograd.gradgradcheck(loss, inputs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_amerced_steps_count_the_expected_warps(backend):
    x, y = random_batch("mse")
    omega = nn.Parameter(torch.tensor(0.3, dtype=torch.float64))
    loss = wlt.SoftDTWLoss(gamma=0.4, step_penalties=(omega, omega, 0.0), reduction="sum", backend=backend)
    loss(x, y).backward()
    got = wlt.align(x, y, gamma=0.4, step_penalties=(0.3, 0.3, 0.0), backend=backend)
    assert omega.grad.item() == pytest.approx(got.step_posteriors[:, :2].sum().item(), rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_skip_penalties_count_the_expected_frames_left_out(backend):
    x, y = random_batch("mse")
    skip = torch.tensor([0.2, 0.1], requires_grad=True)
    settings = {"open_begin": "x", "open_end": "both", "backend": backend}
    wlt.soft_dtw_loss(x, y, [6, 4, 5], skip_penalty=skip, reduction="sum", **settings).backward()
    got = wlt.align(x, y, [6, 4, 5], skip_penalty=(0.2, 0.1), **settings)
    begun = (got.begin[:, :, 0] * torch.arange(6)).sum()
    left = 0.0
    for b, n in enumerate((6, 4, 5)):
        left += (got.end[b, n - 1] * torch.arange(3, -1, -1)).sum()
        left += (got.end[b, : n - 1, 3] * torch.arange(n - 1, 0, -1)).sum()
    torch.testing.assert_close(skip.grad, torch.stack((begun, left)).float())


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_are_homogeneous_in_costs_and_gamma(backend):
    """By Euler, value = sum of every parameter in the unit of the cost times the derivative in it."""
    for seed in range(3):
        parameters = random_parameters(seed, inf=0.0)
        value = parameters.loss(LENGTHS, backend=backend).sum()
        in_unit = [parameters.C, parameters.gamma, *parameters.penalties, parameters.entry, parameters.exit]
        gradients = torch.autograd.grad(value, in_unit)
        total = sum((t * g).sum() for t, g in zip(in_unit, gradients, strict=True))
        torch.testing.assert_close(total, value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_offset_leaves_the_alignment_where_every_step_takes_a_frame(backend):
    generator = torch.Generator().manual_seed(2)
    C = torch.rand(2, 6, 4, generator=generator, dtype=torch.float64)
    moved = C + torch.rand(2, 6, 1, generator=generator, dtype=torch.float64)
    steps = [wl.Step(1, 0), wl.Step(1, 1)]
    gradients = []
    for costs in (C, moved):
        costs.requires_grad_()
        wlt.soft_dtw_from_costs(costs, steps=steps, reduction="sum", backend=backend).backward()
        gradients.append(costs.grad)
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(gradients[0].sum(2), torch.ones(2, 6, dtype=torch.float64))


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_pair_without_a_path_has_no_gradient_of_any_order(zero_infinity, backend):
    x, y = random_batch("mse", N=6, M=4)
    penalty = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    gamma = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    x.requires_grad_()
    steps = [wl.Step(1, 1, 1.0, penalty), wl.Step(2, 1)]
    lengths = ([6, 6, 4], [4, 2, 4])  # 6 frames need 4 targets or more
    options = {"gamma": gamma, "steps": steps, "reduction": "none", "backend": backend}
    values = wlt.soft_dtw_loss(x, y, *lengths, zero_infinity=zero_infinity, **options)
    assert values[1] == (0.0 if zero_infinity else torch.inf)
    assert values[[0, 2]].isfinite().all()
    inputs = (x, penalty, gamma)
    gradients = torch.autograd.grad(values.sum(), inputs, create_graph=True)
    assert (gradients[0][1] == 0).all()
    assert all(gradient.isfinite().all() for gradient in gradients)
    second = torch.autograd.grad(sum(gradient.square().sum() for gradient in gradients), inputs)
    assert (second[0][1] == 0).all()
    assert all(gradient.isfinite().all() for gradient in second)
    alone = wlt.soft_dtw_loss(x[[0, 2]], y[[0, 2]], [6, 4], [4, 4], **options)
    torch.testing.assert_close(torch.autograd.grad(alone.sum(), penalty), gradients[1:2])


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_stays_in_its_pair(backend):
    x, y = random_batch("mse")
    x[1, 2, 0] = torch.nan
    x[2, 4:] = torch.nan  # padding
    x.requires_grad_()
    settings = {"open_end": "x", "step_penalties": (0.1, 0.1, 0.0), "backend": backend}
    values = wlt.soft_dtw_loss(x, y, [6, 5, 4], reduction="none", **settings)
    assert values.isnan().tolist() == [False, True, False]
    values.sum().backward()
    assert x.grad[[0, 2]].isfinite().all()
    assert x.grad[1, :5].isnan().all()
    assert (x.grad[1, 5:] == 0).all()
    got = wlt.align(x, y, [6, 5, 4], **settings)
    assert got.H[1, :5].isnan().all()
    assert got.H[[0, 2]].isfinite().all()
    assert got.y_mod[[0, 2]].isfinite().all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_huge_costs_stay_finite(backend):
    x, y = random_batch("mse")
    for scale in (1e-8, 1e6):
        C = (torch.cdist(x, y) * scale).requires_grad_()
        loss = wlt.soft_dtw_from_costs(
            C, gamma=1e-3, step_penalties=(0.1 * scale, 0.0, 0.0), entry=0.0, reduction="sum", backend=backend
        )
        loss.backward()
        assert loss.isfinite()
        assert C.grad.isfinite().all()
        assert (C.grad.sum((1, 2)) > 0.99).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_frames_left_out_are_taught_nothing_in_a_batch(backend):
    x, y = torch.zeros(1, 4, 1), torch.zeros(1, 2, 1)
    x[0, 0] = x[0, 3] = 1e4
    got = wlt.align(x, y, gamma=0.5, open_begin="x", open_end="x", backend=backend)
    for of_frames in (got.h, got.y_mod, got.H_tilde):
        assert (of_frames[0, [0, 3]] == 0).all()
        assert of_frames.isfinite().all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_graph_can_be_used_twice_and_scaled(backend):
    parameters = random_parameters(1)
    values = parameters.loss(LENGTHS, backend=backend)
    inputs = parameters.tensors()
    once = torch.autograd.grad(values, inputs, torch.ones(4), retain_graph=True)
    twice = torch.autograd.grad(values, inputs, torch.full((4,), 2.0))
    for a, b in zip(once, twice, strict=True):
        torch.testing.assert_close(2 * a, b)


def test_the_gradient_with_a_graph_is_that_without():
    parameters = random_parameters(3)
    for backend in BACKENDS:
        values = parameters.loss(LENGTHS, backend=backend)
        total = torch.where(values.isinf(), 0.0, values).sum()
        inputs = parameters.tensors()
        plain = torch.autograd.grad(total, inputs, retain_graph=True)
        with_graph = torch.autograd.grad(total, inputs, create_graph=True)
        for a, b in zip(plain, with_graph, strict=True):
            torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)
