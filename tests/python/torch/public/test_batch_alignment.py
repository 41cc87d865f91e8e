"""BatchAlignment: shapes, laziness, modified targets."""

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles.costs import COSTS_WITH_TARGETS

import warplens.torch as wlt

FIELDS = ("value", "h", "y_mod", "H", "E", "H_tilde", "entropy")


@pytest.mark.parametrize("backend", BACKENDS)
def test_shapes_dtypes_and_lengths(backend):
    x, y = random_batch("mse", B=2, N=7, M=5, D=3, dtype=torch.float32)
    shapes = {
        "value": (),
        "h": (7,),
        "y_mod": (7, 3),
        "H": (7, 5),
        "E": (7, 5),
        "H_tilde": (7, 5),
        "entropy": (),
    }
    batched, single = wlt.align(x, y, backend=backend), wlt.align(x[1], y[1], backend=backend)
    for name, shape in shapes.items():
        assert getattr(batched, name).shape == (2, *shape)
        assert getattr(batched, name).dtype == torch.float32
        assert torch.equal(getattr(single, name), getattr(batched, name)[1])
    assert batched.x_lengths.tolist() == [7, 7]
    assert batched.y_lengths.tolist() == [5, 5]
    assert (single.x_lengths.item(), single.y_lengths.item()) == (7, 5)
    ragged = wlt.align(x, y, [7, 2], torch.tensor([1, 5]), backend=backend)
    assert ragged.x_lengths.tolist() == [7, 2]
    assert ragged.y_lengths.tolist() == [1, 5]


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_carries_a_gradient(backend):
    x, y = random_batch("mse")
    gamma = torch.tensor(1.0, requires_grad=True)
    alignment = wlt.align(x.requires_grad_(), y.requires_grad_(), gamma=gamma, backend=backend)
    assert not any(getattr(alignment, name).requires_grad for name in FIELDS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_definitions(backend):
    x, y = random_batch("mse", N=20, M=9)
    a = wlt.align(x, y, gamma=0.3, step_weights=(0.1, 1, 1), backend=backend)
    torch.testing.assert_close(a.h, a.H.sum(2))
    torch.testing.assert_close(a.H_tilde, a.H / a.h.unsqueeze(2))
    torch.testing.assert_close(a.y_mod, a.H_tilde @ y)
    ones = wlt.align(x, y, gamma=0.3, backend=backend)
    torch.testing.assert_close(ones.H, ones.E)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gamma", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("cost", COSTS_WITH_TARGETS)
def test_modified_targets_are_convex_where_a_row_has_no_weight(cost, gamma, backend):
    """With w_h = 0 rows of pure repetition have h(n) = 0; they are taken from the visits."""
    x, y = random_batch(cost, B=2, N=40, M=4)
    a = wlt.align(x, y, cost=cost, gamma=gamma, step_weights=(0.0, 1.0, 1.0), backend=backend)
    assert (a.h < 1e-20).any() or gamma > 0.0
    assert a.y_mod.isfinite().all()
    torch.testing.assert_close(a.H_tilde.sum(2), torch.ones(2, 40, dtype=torch.float64))
    targets = y / y.norm(dim=2, keepdim=True) if cost == "cosine" else y
    torch.testing.assert_close(a.y_mod, a.H_tilde @ targets, rtol=0, atol=1e-12)


def test_figure_2():
    """A one-frame event fades at gamma 1, a five-frame event stays; at gamma 0.1 all stay."""
    weak, strong = torch.zeros(6, 12), []
    for event in range(3):
        weak[2 * event + 1, event] = 1.0
    for row, repeats in zip(weak, (3, 2, 3, 1, 3, 5), strict=True):
        strong += [row] * repeats
    for backend in BACKENDS:
        for gamma, peaks in ((1.0, [0.519, 0.408, 0.977]), (0.1, [0.987, 0.986, 1.000])):
            a = wlt.align(torch.stack(strong), weak, gamma=gamma, backend=backend)
            assert a.y_mod.amax(0)[:3].tolist() == pytest.approx(peaks, abs=1e-3)


@pytest.mark.parametrize("cost", ["euclidean", "l1", lambda x, y: torch.cdist(x, y)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_costs_without_modified_targets(cost, backend):
    x, y = random_batch("mse")
    alignment = wlt.align(x, y, cost=cost, backend=backend)
    with pytest.raises(ValueError, match=r"y_mod: cost .* is not affine in the target"):
        _ = alignment.y_mod
    C = torch.cdist(x, y, p=1.0 if cost == "l1" else 2.0).requires_grad_()
    wlt.soft_dtw_from_costs(C, reduction="sum", backend=backend).backward()
    torch.testing.assert_close(alignment.H, C.grad)
    torch.testing.assert_close(alignment.h, C.grad.sum(2))
    assert alignment.H_tilde.isfinite().all()


def test_the_alignment_is_of_the_tensors_as_they_were():
    x, y = random_batch("mse")
    alignment, early = wlt.align(x, y), wlt.align(x, y)
    expected = early.H
    x.mul_(2.0)
    assert torch.equal(early.H, expected)
    assert alignment.h.isfinite().all()
    with pytest.raises(RuntimeError, match=r"E: .* x or y was changed in place since align\(\)"):
        _ = alignment.E


def test_gamma_may_change_between_the_call_and_the_first_look():
    x, y = random_batch("mse")
    gamma = torch.tensor(1.0, dtype=torch.float64)
    alignment = wlt.align(x, y, gamma=gamma)
    gamma.fill_(0.01)
    torch.testing.assert_close(alignment.H.sum(2), alignment.h)


@pytest.mark.parametrize("backend", BACKENDS)
def test_under_inference_mode(backend):
    with torch.inference_mode():
        x, y = random_batch("mse")
        alignment = wlt.align(x, y, backend=backend)
        assert wlt.soft_dtw_loss(x, y, reduction="none", backend=backend).equal(alignment.value)
        torch.testing.assert_close(alignment.H.sum(2), alignment.h)


def test_repr_is_one_line():
    x, y = random_batch("mse")
    assert "\n" not in repr(wlt.align(x, y))
    assert repr(wlt.align(x, y)).startswith("<BatchAlignment B=3 N=6 M=4 cost=mse gamma=1")
