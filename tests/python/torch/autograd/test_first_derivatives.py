"""Gradients: finite differences, autograd as independent truth, and the paper's equations 14 and 17."""

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles.costs import COSTS, COSTS_WITH_TARGETS
from torch.autograd import gradcheck
from torch.nn import functional

import warplens.torch as wlt

LENGTHS = ([6, 3, 1], [4, 4, 2])


def smooth_weights(values=(0.4, 1.0, 1.3)):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", COSTS)
def test_gradcheck_of_sequences_gamma_and_step_weights(cost, backend):
    x, y = random_batch(cost)
    gamma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def loss(x, y, gamma, weights):
        return wlt.soft_dtw_loss(
            x, y, *LENGTHS, cost=cost, gamma=gamma, step_weights=weights, reduction="none", backend=backend
        )

    assert gradcheck(loss, (x.requires_grad_(), y.requires_grad_(), gamma, smooth_weights()))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", ["mse", "bce", "bce_logits", "ce_logits", "cosine", "euclidean", "l1"])
def test_gradcheck_with_weighted_features(cost, backend):
    x, y = random_batch(cost, N=4, M=5)
    pos_weight = [0.5, 3.0, 1.0] if cost.startswith("bce") else None

    def loss(x, y):
        return wlt.soft_dtw_loss(
            x, y, cost=cost, feature_weights=[0.5, 0.0, 2.0], pos_weight=pos_weight, backend=backend
        )

    assert gradcheck(loss, (x.requires_grad_(), y.requires_grad_()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradcheck_of_costs(backend):
    C = torch.randn(
        3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True
    )
    gamma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def loss(C, gamma, weights):
        return wlt.soft_dtw_from_costs(
            C, [5, 3, 2], [4, 1, 3], gamma=gamma, step_weights=weights, reduction="none", backend=backend
        )

    assert gradcheck(loss, (C, gamma, smooth_weights()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradcheck_of_a_callable_cost_with_its_own_parameter(backend):
    x, y = random_batch("mse")
    scale = torch.tensor([0.5, 1.5, 1.0], dtype=torch.float64, requires_grad=True)

    def loss(x, y, scale):
        def cost(x, y):
            return (scale * (x.unsqueeze(2) - y.unsqueeze(1)).cosh()).sum(-1)

        return wlt.soft_dtw_loss(x, y, *LENGTHS, cost=cost, reduction="none", backend=backend)

    assert gradcheck(loss, (x.requires_grad_(), y.requires_grad_(), scale))


def elementwise(cost, x, target):
    """Return c(x_n, t_n) for every n by PyTorch's own losses, independent of warplens."""
    match cost:
        case "mse":
            return 0.5 * functional.mse_loss(x, target, reduction="none").sum(-1)
        case "sqeuclidean":
            return functional.mse_loss(x, target, reduction="none").sum(-1)
        case "bce":
            return functional.binary_cross_entropy(x, target, reduction="none").sum(-1)
        case "bce_logits":
            return functional.binary_cross_entropy_with_logits(x, target, reduction="none").sum(-1)
        case "ce":
            return -(target * x.log()).sum(-1)
        case "ce_logits":
            return -(target * functional.log_softmax(x, -1)).sum(-1)
        case "poisson":
            return functional.poisson_nll_loss(x, target, log_input=False, eps=0.0, reduction="none").sum(-1)
        case "poisson_log":
            return functional.poisson_nll_loss(x, target, reduction="none").sum(-1)
        case "cosine":
            # The target is a mean of unit vectors, not itself one.
            return 1.0 - (functional.normalize(x, dim=-1) * target).sum(-1)
    raise AssertionError(cost)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (0.0, 1.0, 1.0)])
@pytest.mark.parametrize("cost", COSTS_WITH_TARGETS)
def test_gradient_is_h_times_that_against_the_modified_targets(cost, weights, backend):
    """Eq. 14 (mse) and 17 (bce), and the same for every cost that is affine in the target."""
    x, y = random_batch(cost, B=2, N=30, M=12, D=5)
    arguments = {"cost": cost, "gamma": 0.8, "step_weights": weights, "backend": backend}
    x.requires_grad_()
    wlt.soft_dtw_loss(x, y, [30, 21], [12, 9], reduction="sum", **arguments).backward()
    alignment = wlt.align(x, y, [30, 21], [12, 9], **arguments)
    mine = x.detach().clone().requires_grad_()
    inside = torch.arange(30) < alignment.x_lengths[:, None]
    (alignment.h * elementwise(cost, mine, alignment.y_mod))[inside].sum().backward()
    torch.testing.assert_close(x.grad, mine.grad, rtol=0, atol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", COSTS_WITH_TARGETS)
def test_gradient_through_an_explicit_cost_matrix(cost, backend):
    """The cost matrix cell by cell from PyTorch's own losses, and autograd through it."""
    x, y = random_batch(cost, B=1, N=7, M=5, D=4)
    x.requires_grad_()
    y.requires_grad_()
    mine = wlt.soft_dtw_loss(x, y, cost=cost, gamma=0.5, backend=backend)
    gradients = torch.autograd.grad(mine, (x, y))
    target = functional.normalize(y, dim=-1) if cost == "cosine" else y
    C = elementwise(cost, x.unsqueeze(2).expand(1, 7, 5, 4), target.unsqueeze(1).expand(1, 7, 5, 4))
    truth = wlt.soft_dtw_from_costs(C, gamma=0.5, backend=backend)
    assert mine.item() == pytest.approx(truth.item(), rel=1e-12)
    for gradient, expected in zip(gradients, torch.autograd.grad(truth, (x, y)), strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", ["bce", "ce", "poisson"])
def test_logs_are_clamped_and_gradients_finite(cost, backend):
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1e-300, 0.5]], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    wlt.soft_dtw_loss(x, y, cost=cost, backend=backend).backward()
    alone = wlt.soft_dtw_loss(x[:1], y, cost=cost, backend=backend).item()
    assert alone == {"bce": 200.0, "ce": 100.0, "poisson": 101.0}[cost]
    # A single target frame: every row of H is 1, and so the gradient is that of the cost itself.
    first = {"bce": [-1e12, 1e12], "ce": [-1e12, 0.0], "poisson": [1.0 - 1e12, 1.0]}[cost]
    torch.testing.assert_close(x.grad[0], torch.tensor(first, dtype=torch.float64), rtol=1e-12, atol=0)
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_at_a_kink_the_gradient_is_zero(backend):
    for cost in ("euclidean", "l1", "cosine"):
        x = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
        y = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
        wlt.soft_dtw_loss(x, y, cost=cost, backend=backend).backward()
        assert not x.grad.any()
        assert not y.grad.any()
    assert wlt.soft_dtw_loss(x[:1], y[:1], cost="cosine", backend=backend).item() == 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_common_offset_does_not_cancel(backend):
    x, y = random_batch("mse", B=1, N=20, M=12)
    plain = wlt.soft_dtw_loss(x, y, gamma=0.1, backend=backend)
    shifted = wlt.soft_dtw_loss(x + 2.0**20, y + 2.0**20, gamma=0.1, backend=backend)
    assert shifted.item() == pytest.approx(plain.item(), rel=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_backward_scales_each_pair_by_its_own_factor(backend):
    x, y = random_batch("mse")
    weights = smooth_weights()
    x.requires_grad_()

    def gradients(factors):
        values = wlt.soft_dtw_loss(x, y, step_weights=weights, reduction="none", backend=backend)
        return torch.autograd.grad((values * factors).sum(), (x, weights))

    factors = torch.tensor([2.0, 0.0, -3.0], dtype=torch.float64)
    units = [gradients(unit) for unit in torch.eye(3, dtype=torch.float64)]
    for index, gradient in enumerate(gradients(factors)):
        expected = sum(factor * unit[index] for factor, unit in zip(factors, units, strict=True))
        torch.testing.assert_close(gradient, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_graph_can_be_used_twice_when_retained(backend):
    x, y = random_batch("mse")
    x.requires_grad_()
    loss = wlt.soft_dtw_loss(x, y, backend=backend)
    first = torch.autograd.grad(loss, x, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(loss, x)[0])


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_what_a_retained_graph_hands_out_may_be_changed(reduction):
    x, y = random_batch("mse")
    x.requires_grad_()
    loss = wlt.soft_dtw_loss(x, y, reduction=reduction).sum()
    first = torch.autograd.grad(loss, x, retain_graph=True)[0]
    expected = first.clone()
    first.zero_()
    second = torch.autograd.grad(loss, x, retain_graph=True)[0]
    assert torch.equal(second, expected)
    second /= second.norm()
    loss.backward()
    assert torch.equal(x.grad, expected)


@pytest.mark.parametrize("retain", [True, False])
@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_many_upstream_gradients_at_once_are_those_of_a_loop(backend, reduction, retain):
    x, y = random_batch("bce")
    inputs = (
        x.requires_grad_(),
        y.requires_grad_(),
        torch.tensor(0.7, dtype=torch.float64, requires_grad=True),
        smooth_weights(),
    )

    def loss():
        return wlt.soft_dtw_loss(
            *inputs[:2],
            *LENGTHS,
            cost="bce",
            gamma=inputs[2],
            step_weights=inputs[3],
            reduction=reduction,
            backend=backend,
        )

    value = loss()
    upstream = torch.randn(5, *value.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    upstream[2] = 1.0
    together = torch.autograd.grad(value, inputs, upstream, is_grads_batched=True, retain_graph=retain)
    for k, one in enumerate(upstream):
        for result, expected in zip(together, torch.autograd.grad(loss(), inputs, one), strict=True):
            torch.testing.assert_close(result[k], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_vectorized_jacobians_are_those_of_a_loop(backend):
    x, y = random_batch("mse", dtype=torch.float32)

    def values(x, y):
        return wlt.soft_dtw_loss(x, y, reduction="none", backend=backend)

    jacobian = torch.autograd.functional.jacobian
    for result, expected in zip(
        jacobian(values, (x, y), vectorize=True), jacobian(values, (x, y)), strict=True
    ):
        torch.testing.assert_close(result, expected)
