"""A signal ends a long call of the torch functions, forward or back, and the next call is served."""

import pytest
import torch

import warplens.torch as wlt
from warplens import _core
from warplens.torch.backends import openmp

X = torch.rand(1000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LONG = X.repeat(20, 1).expand(100, -1, -1).contiguous()


def again_and_again(result, x):
    """Return a call that goes the way back a thousand times."""
    return lambda: [torch.autograd.grad(result, x, retain_graph=True) for _ in range(1000)]


def backward_of_cdist():
    xs = X.expand(12, -1, -1).clone().requires_grad_()
    return again_and_again(wlt.cdist(xs).sum(), xs)


def second_backward():
    x = X[:300].expand(20, -1, -1).clone().requires_grad_()
    loss = wlt.soft_dtw_loss(x, X[:300].expand(20, -1, -1))
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    return again_and_again(gradient.sum(), x)


# What is made before the signal is asked for -> the call, which takes minutes or hours to its end.
LONG_CALLS = {
    "loss": lambda: lambda: wlt.soft_dtw_loss(LONG, LONG),
    "cdist": lambda: lambda: wlt.cdist(X.expand(2000, -1, -1)),
    "backward of cdist": backward_of_cdist,
    "barycenter": lambda: lambda: wlt.barycenter(X.expand(1000, -1, -1), tolerance=0),
    "second derivatives": second_backward,
}


@pytest.fixture(params=["torch's OpenMP", "own pool"])
def threads(request, monkeypatch):
    monkeypatch.setenv("WARPLENS_OPENMP", "on" if request.param == "torch's OpenMP" else "off")
    openmp.share_team()
    if request.param == "torch's OpenMP" and not _core.uses_openmp_team():
        pytest.skip("torch without OpenMP's GOMP_parallel")
    yield
    monkeypatch.undo()
    openmp.share_team()


def step():
    x = torch.linspace(0, 1, 600, dtype=torch.float64).view(4, 50, 3).requires_grad_()
    loss = wlt.soft_dtw_loss(x, x.detach()[:, ::2] ** 2, reduction="none")
    return [loss.detach(), *torch.autograd.grad(loss.sum(), x)]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", LONG_CALLS)
def test_a_signal_ends_a_long_call(name, ring):
    before, call = step(), LONG_CALLS[name]()

    def interrupted():
        ring()
        call()

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    for each, again in zip(step(), before, strict=True):
        assert torch.equal(each, again)
