"""First and second derivatives of CTC in all that can learn, against differences."""

import pytest
import torch

import warplens.torch as wlt

TARGETS = (torch.tensor([[1, 1, 2], [2, 3, 0]]), (6, 5), (3, 2))


def scores(seed=0):
    return torch.randn(6, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def settings(**more):
    return {"blank_weight": 1.5, "free_between": True, "reduction": "mean", **more}


@pytest.mark.parametrize("backend", ["core", "ops"])
@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_first_and_second_derivatives(backend, from_logits, reduction):
    loss = wlt.CTCLoss(**settings(reduction=reduction, backend=backend, from_logits=from_logits))
    del loss.gamma, loss.blank_penalty  # buffers, which become arguments here

    def value(x, gamma, penalty):
        loss.gamma, loss.blank_penalty = gamma, penalty
        return loss(x, *TARGETS)

    inputs = (scores(), torch.tensor(0.8).double(), torch.tensor(0.3).double())
    inputs = tuple(tensor.requires_grad_() for tensor in inputs)
    assert torch.autograd.gradcheck(value, inputs)
    assert torch.autograd.gradgradcheck(value, inputs)


@pytest.mark.parametrize("from_logits", [False, True])
def test_priors_that_learn(from_logits):
    loss = wlt.CTCLoss(**settings(from_logits=from_logits, prior_scale=0.4))
    del loss.log_priors  # a buffer, which becomes an argument here

    def value(x, priors):
        loss.log_priors = priors
        return loss(x, *TARGETS)

    priors = torch.tensor([-0.2, -1.0, -3.0, -2.0]).double().requires_grad_()
    inputs = (scores().requires_grad_(), priors)
    assert torch.autograd.gradcheck(value, inputs)
    assert torch.autograd.gradgradcheck(value, inputs)
    constant = wlt.CTCLoss(**settings(from_logits=from_logits, prior_scale=0.4, log_priors=priors.detach()))
    torch.testing.assert_close(constant(scores(), *TARGETS), value(*inputs))


def test_second_derivatives_where_a_class_is_forbidden():
    x = scores().log_softmax(2)
    x[2, 0, 2] = x[1, 1, 0] = -torch.inf
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(wlt.CTCLoss()(x, *TARGETS), x, create_graph=True)
    (product,) = torch.autograd.grad(gradient.square().sum(), x)
    assert gradient.isfinite().all()
    assert product.isfinite().all()
    assert product.abs().max() > 0.01


def test_an_item_without_a_path_has_derivatives_of_0():
    x = scores().requires_grad_()
    targets = (torch.tensor([[1, 1, 1], [2, 3, 0]]), (4, 5), (3, 2))
    loss = wlt.CTCLoss(reduction="none", from_logits=True)
    values = loss(x, *targets)
    assert values.isinf().tolist() == [True, False]
    (gradient,) = torch.autograd.grad(values[1], x, create_graph=True)
    (product,) = torch.autograd.grad(gradient.square().sum(), x)
    assert (gradient[:, 0] == 0).all()
    assert (product[:, 0] == 0).all()
    y = scores().requires_grad_()
    wlt.CTCLoss(zero_infinity=True, from_logits=True)(y, *targets).backward()
    assert (y.grad[:, 0] == 0).all()
    assert (y.grad[:, 1] != 0).any()
