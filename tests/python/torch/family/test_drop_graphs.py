"""Drop-DTW of batches by the general model: values, matches and gradients are those of the NumPy function."""

import itertools

import numpy as np
import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles import differences

import warplens as wl
from warplens.torch.family.drops import results_of_drops, values_of_drops
from warplens.torch.inputs.batches import CostMatrices

KINDS = list(itertools.product((True, False), repeat=2))
LENGTHS = [6, 3, 5], [4, 3, 2]


def batch(seed=0, forbids=False):
    x, y = random_batch("mse", seed=seed)
    C = 0.5 * torch.cdist(x, y).square()
    if forbids:
        C[:, 1, 2] = torch.inf
    generator = np.random.default_rng(seed)
    drops = torch.tensor(0.3 + generator.random((3, 6)))
    if forbids:
        drops[0, 2] = torch.inf
    return x, y, C, drops


def lengths_of(lengths):
    return [None if given is None else torch.tensor(given) for given in lengths]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gamma", [0.0, 0.4])
@pytest.mark.parametrize("lengths", [(None, None), LENGTHS])
@pytest.mark.parametrize(("contiguous", "many_to_one"), KINDS)
@pytest.mark.parametrize("forbids", [False, True])
def test_batches_are_the_numpy_function(forbids, contiguous, many_to_one, lengths, gamma, backend):
    x, y, C, drops = batch(forbids=forbids)
    C.requires_grad_()
    drops.requires_grad_()
    kind = {"contiguous": contiguous, "many_to_one": many_to_one}
    softness = torch.tensor(gamma, dtype=torch.float64)
    matrices = CostMatrices(C, *lengths_of(lengths), unbatched=False)
    values = values_of_drops(matrices, drops, softness, None, backend, **kind)
    (of_C, of_drops) = torch.autograd.grad(values.sum(), (C, drops))
    names = ["H", "h", "E", "visits", "entropy"]
    got = results_of_drops(matrices, drops, softness, names, backend, **kind)
    for b in range(3):
        n, m = (whole if given is None else given[b] for given, whole in zip(lengths, (6, 4), strict=True))
        costs, dropped = C[b, :n, :m].detach().numpy(), drops[b, :n].detach().numpy()

        def value(drop, costs=costs, b=b, n=n, m=m):
            options = {"cost": lambda x, y: costs, "gamma": gamma, **kind}
            return wl.drop_dtw(x[b, :n].numpy(), y[b, :m].numpy(), drop, **options)

        expected = value(dropped)
        assert values[b].item() == pytest.approx(expected.value, rel=1e-12)
        np.testing.assert_allclose(of_C[b, :n, :m], expected.H, atol=1e-11)
        for name in names:
            wanted = np.asarray(getattr(expected, name))
            found = got[name][b].numpy()[tuple(slice(size) for size in wanted.shape)]
            np.testing.assert_allclose(found, wanted, atol=1e-9, err_msg=name)
        if gamma > 0 and not forbids:
            slopes = differences.gradient(lambda drop: value(drop).value, dropped, step=1e-6)
            np.testing.assert_allclose(of_drops[b, :n], slopes, atol=1e-7)
        if gamma > 0 and not many_to_one:
            np.testing.assert_allclose(of_drops[b, :n], 1 - expected.h, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("contiguous", "many_to_one"), KINDS)
def test_gradcheck_of_costs_drops_and_gamma(contiguous, many_to_one, backend):
    _, _, C, drops = batch()
    gamma = torch.tensor(0.5, dtype=torch.float64)
    inputs = [tensor.clone().requires_grad_() for tensor in (C[:2, :3, :2], drops[:1, :3], gamma)]

    def values(C, drops, gamma):
        matrices = CostMatrices(C, torch.tensor([3, 2]), None, unbatched=False)
        kind = {"contiguous": contiguous, "many_to_one": many_to_one}
        return values_of_drops(matrices, drops, gamma, None, backend, **kind)

    assert torch.autograd.gradcheck(values, inputs)
    assert torch.autograd.gradgradcheck(values, inputs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_fewer_frames_than_targets_have_no_path(backend):
    _, _, C, drops = batch()
    matrices = CostMatrices(
        C.requires_grad_(), torch.tensor([6, 3, 2]), torch.tensor([4, 4, 2]), unbatched=False
    )
    one = torch.tensor(1.0, dtype=torch.float64)
    values = values_of_drops(matrices, drops, one, None, backend, contiguous=False, many_to_one=False)
    assert values.isinf().tolist() == [False, True, False]
    values.sum().backward()
    assert (C.grad[1] == 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("contiguous", "many_to_one"), KINDS)
def test_frames_that_cannot_be_dropped_leave_gradients_finite(contiguous, many_to_one, backend):
    _, _, C, drops = batch(forbids=True)
    gamma = torch.tensor(0.5, dtype=torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (C, drops, gamma)]
    kind = {"contiguous": contiguous, "many_to_one": many_to_one}
    values = values_of_drops(
        CostMatrices(C, None, None, unbatched=False), drops, gamma, None, backend, **kind
    )
    for create_graph in (False, True):
        gradients = torch.autograd.grad(values.sum(), inputs, create_graph=create_graph, retain_graph=True)
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert gradients[1][0, 2] == 0
