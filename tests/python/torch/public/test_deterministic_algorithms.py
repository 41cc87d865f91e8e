"""Under `torch.use_deterministic_algorithms(True)` every loss works, forward and back, to the same bits."""

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch

import warplens as wl
import warplens.torch as wlt

LENGTHS = [6, 3, 5], [4, 4, 2]


@pytest.fixture
def deterministic():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


def loss_of(cost="mse", **options):
    return lambda x, y, backend: wlt.soft_dtw_loss(x, y, *LENGTHS, cost=cost, backend=backend, **options)


LOSSES = {
    "plain": loss_of("bce"),
    "logits": loss_of("ce_logits", reduction="sum"),
    "band": loss_of(band=wl.SakoeChiba(4), normalize="both"),
    "distance": loss_of("euclidean"),
    "callable": loss_of(lambda x, y: (x.unsqueeze(2) - y.unsqueeze(1)).square().sum(dim=-1)),
    "prior": loss_of(wlt.DiagonalPrior("mse", 1.0)),
    "sharp": loss_of(sharp=True),
    "debias": loss_of(debias=True),
    "cost matrices": lambda x, y, backend: wlt.soft_dtw_from_costs(x @ y.mT, *LENGTHS, backend=backend),
    "cdist": lambda x, y, backend: wlt.cdist(x, y, *LENGTHS, backend=backend).sum(),
    "cdist of one set": lambda x, y, backend: wlt.cdist(x, x_lengths=LENGTHS[0], backend=backend).sum(),
}


def step(name, backend):
    """The loss, and its gradients in x, y, gamma and step weights of the first and the second order."""
    x, y = (side.requires_grad_() for side in random_batch("bce"))
    loss = LOSSES[name](x, y, backend)
    gradients = torch.autograd.grad(loss, (x, y), allow_unused=True, create_graph=name != "sharp")
    results = [loss, *gradients]
    if name != "sharp":
        total = sum(gradient.square().sum() for gradient in gradients if gradient is not None)
        results += torch.autograd.grad(total, (x, y), allow_unused=True)
    return [None if each is None else each.detach() for each in results]


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_step_works_and_has_the_same_bits_each_time(name, backend):
    first, second = step(name, backend), step(name, backend)
    torch.use_deterministic_algorithms(False)
    for each, again, usual in zip(first, second, step(name, backend), strict=True):
        assert (each is None) == (usual is None)
        if each is not None:
            assert torch.equal(each, again)
            torch.testing.assert_close(each, usual, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("backend", BACKENDS)
def test_alignments_and_barycenters_work_too(backend):
    x, y = random_batch("mse")
    alignment = wlt.align(x, y, *LENGTHS, backend=backend)
    assert alignment.H.isfinite().all()
    assert alignment.y_mod.isfinite().all()
    xs = random_batch("mse", B=4, N=7)[0]
    assert torch.equal(wlt.barycenter(xs, backend=backend), wlt.barycenter(xs, backend=backend))
