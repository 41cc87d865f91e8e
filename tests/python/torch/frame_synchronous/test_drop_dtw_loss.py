"""Drop-DTW of batches, in every form, against the NumPy function and differences."""

import itertools

import numpy as np
import pytest
import torch

import warplens as wl
import warplens.torch as wlt

LENGTHS = ([6, 5, 3], [3, 2, 3])
FORMS = [
    {"contiguous": contiguous, "many_to_one": many_to_one}
    for contiguous, many_to_one in itertools.product([True, False], repeat=2)
]


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, y, drop = (
        torch.rand(shape, dtype=torch.float64, generator=generator)
        for shape in ((3, 6, 2), (3, 3, 2), (3, 6))
    )
    x[1, 5:] = x[2, 3:] = y[1, 2:] = torch.nan  # padding
    return x, y, 0.05 + drop


@pytest.mark.parametrize("backend", ["core", "ops"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gamma", [0.3, 0.0])
@pytest.mark.parametrize("cost", ["mse", "cosine", "l1"])
def test_everything_is_that_of_numpy(backend, form, gamma, cost):
    x, y, drop = batch()
    x, y, drop = (each.requires_grad_() for each in (x, y, drop))
    kwargs = {"cost": cost, "gamma": gamma, **form}
    lens = wlt.align_drop_dtw(x, y, drop, *LENGTHS, backend=backend, **kwargs)
    values = wlt.DropDTWLoss(reduction="none", backend=backend, **kwargs)(x, y, *LENGTHS, drop=drop)
    values.sum().backward()
    for item, (N, M) in enumerate(zip(*LENGTHS, strict=True)):
        parts = (x[item, :N], y[item, :M], drop[item, :N])
        truth = wl.drop_dtw(*(part.detach().numpy() for part in parts), **kwargs)
        np.testing.assert_allclose(values[item].item(), truth.value, atol=1e-9)
        names = ["value", "h", "H", "E", "H_tilde", "visits", "entropy"]
        for name in [*names, "y_mod"] if cost != "l1" else names:
            expected = getattr(truth, name)
            found = getattr(lens, name)[item].numpy()
            part = found[tuple(slice(size) for size in np.shape(expected))]
            np.testing.assert_allclose(part, expected, atol=1e-9, err_msg=name)
            np.testing.assert_allclose(found.sum(), np.sum(expected), atol=1e-9, err_msg=name)
        np.testing.assert_allclose(x.grad[item, :N], truth.x_grad, atol=1e-9)
        np.testing.assert_allclose(y.grad[item, :M], truth.y_grad, atol=1e-9)
        if not form["many_to_one"]:  # a frame is kept or dropped
            np.testing.assert_allclose(drop.grad[item, :N], 1 - truth.h, atol=1e-9)
        assert (x.grad[item, N:] == 0).all()
        assert (y.grad[item, M:] == 0).all()
        assert (drop.grad[item, N:] == 0).all()


@pytest.mark.parametrize("backend", ["core", "ops"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cost", ["mse", "euclidean"])
def test_first_and_second_derivatives(backend, form, cost):
    loss = wlt.DropDTWLoss(cost=cost, normalize="x_length", backend=backend, **form)
    del loss.gamma  # a buffer, which becomes an argument here

    def value(x, y, drop, gamma):
        loss.gamma = gamma
        return loss(x, y, (4, 3), (2, 1), drop=drop)

    x, y, drop = batch()
    inputs = (x[:2, :4], y[:2, :2], drop[:2, :4], torch.tensor(0.4).double())
    inputs = tuple(tensor.clone().requires_grad_() for tensor in inputs)
    assert torch.autograd.gradcheck(value, inputs)
    assert torch.autograd.gradgradcheck(value, inputs)


@pytest.mark.parametrize("form", FORMS)
def test_drop_costs_come_as_number_rows_and_parameter(form):
    x, y, _ = batch()
    x, y = x[:2, :5], y[:2, :2]
    numbers = wlt.DropDTWLoss(0.2, **form)(x, y)
    learned = wlt.DropDTWLoss(torch.nn.Parameter(torch.tensor(0.2, dtype=torch.float64)), **form)
    learned(x, y).backward()
    rows = torch.full((5,), 0.2, dtype=torch.float64, requires_grad=True)
    loss = wlt.DropDTWLoss(**form)(x, y, drop=rows)
    loss.backward()
    torch.testing.assert_close(loss, numbers)
    torch.testing.assert_close(rows.grad.sum(), learned.drop.grad)
    lens = wlt.align_drop_dtw(x, y, 0.2, **form)
    if not form["many_to_one"]:
        torch.testing.assert_close(rows.grad, (1 - lens.h).mean(0))
    one = wlt.align_drop_dtw(x[0], y[0], rows, **form)
    torch.testing.assert_close(one.H, lens.H[0])


@pytest.mark.parametrize("form", FORMS)
def test_inf_forbids_a_match_or_a_drop_alone(form):
    x, y, _ = batch()
    C = torch.cdist(x[:1], y[:1])
    C[0, 2] = torch.inf
    drop = torch.full((6,), 0.3, dtype=torch.float64)
    drop[3] = torch.inf
    lens = wlt.align_drop_dtw(x[:1], y[:1], drop, cost=lambda x, y: C, **form)
    assert lens.H[0, 2].count_nonzero() == 0
    torch.testing.assert_close(lens.h[0, 3], lens.h[0, 3].clamp(min=1))
    assert lens.value.isfinite()
    with pytest.raises(ValueError, match="y_mod"):
        _ = lens.y_mod


def test_fewer_frames_than_targets_are_no_path():
    x, y, drop = batch()
    x.requires_grad_()
    values = wlt.DropDTWLoss(reduction="none")(x, y, (6, 2, 3), (3, 2, 3), drop=drop)
    assert values.isfinite().all()
    values = wlt.DropDTWLoss(reduction="none")(x, y, (6, 1, 3), (3, 2, 3), drop=drop)
    assert values.isinf().tolist() == [False, True, False]
    wlt.DropDTWLoss(zero_infinity=True)(x, y, (6, 1, 3), (3, 2, 3), drop=drop).backward()
    assert x.grad[1].count_nonzero() == 0


def test_errors_name_the_argument():
    x, y, _ = batch()
    x, y = x[:1], y[:1]
    with pytest.raises(ValueError, match="drop: is given neither to the loss nor to the call"):
        wlt.DropDTWLoss()(x, y)
    with pytest.raises(ValueError, match=r"drop: has shape \(3,\); a number, \(N,\) = \(6,\)"):
        wlt.DropDTWLoss(torch.ones(3))(x, y)
    with pytest.raises(ValueError, match="drop: is nan; a cost above -inf"):
        wlt.DropDTWLoss(float("nan"))
    drop = torch.ones(6)
    drop[2] = -torch.inf
    with pytest.raises(ValueError, match="drop: is -inf at frame 2 of item 0"):
        wlt.align_drop_dtw(x, y, drop)
    with pytest.raises(ValueError, match="drop: is 0 at frame 0 of item 0; many to one"):
        wlt.DropDTWLoss(0.0, contiguous=False, many_to_one=True)(x, y)
    assert wlt.DropDTWLoss(0.0, gamma=0.0, contiguous=False, many_to_one=True)(x, y).isfinite()
    with pytest.raises(ValueError, match="step_posteriors: is not computed for this loss"):
        _ = wlt.align_drop_dtw(x, y, 1.0).step_posteriors
    with pytest.raises(ValueError, match="cost"):
        wlt.DropDTWLoss(1.0, "nothing")
    with pytest.raises(ValueError, match="backend: is 'triton'; this loss has 'core', 'ops'"):
        wlt.DropDTWLoss(1.0, backend="triton")
