"""Multi-label CTC of batches against the NumPy function, every path and differences."""

import numpy as np
import pytest
import torch
from oracles.ctc import Costs, by_every_path

import warplens as wl
import warplens.torch as wlt

# Equal targets in a row, first in an item and in its midst; in the padding lies what nobody reads.
Y = torch.tensor(
    [
        [[1, 0, 1], [1, 0, 1], [0, 1, 0]],
        [[0, 1, 0], [1, 1, 1], [9, 9, 9]],
        [[1, 0, 0], [9, 9, 9], [9, 9, 9]],
    ]
)
LENGTHS = ([7, 5, 4], [3, 2, 1])
SHAPES = {"we": (4, 2), "ne3": (3, 3), "ne2": (3, 2)}
SETTINGS = [
    {},
    {"gamma": 0.4, "blank_penalty": 0.7},
    {"blank_weight": 2.0, "free_between": True},
    {"blank_penalty": float("inf")},
]


def log_probs(encoding, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 7, *SHAPES[encoding], dtype=torch.float64, generator=generator).log_softmax(3)


def cut(result, shape):
    return result[tuple(slice(size) for size in shape)]


@pytest.mark.parametrize("backend", ["core", "ops"])
@pytest.mark.parametrize("encoding", SHAPES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_everything_is_that_of_numpy(backend, encoding, settings):
    x = log_probs(encoding)
    x[0, 2, 1] = torch.tensor([-torch.inf] + [-0.1] * (SHAPES[encoding][1] - 1))
    x[1, 5:] = torch.nan
    x.requires_grad_()
    lens = wlt.align_multi_label_ctc(x, Y, *LENGTHS, encoding=encoding, backend=backend, **settings)
    loss = wlt.MultiLabelCTCLoss(encoding, reduction="none", backend=backend, **settings)
    values = loss(x, Y, *LENGTHS)
    values[values.isfinite()].sum().backward()
    for item, (N, M) in enumerate(zip(*LENGTHS, strict=True)):
        call = (x[item, :N].detach().numpy(), Y[item, :M].numpy())
        if not values[item].isfinite():  # equal targets, and no blank at all
            with pytest.raises(wl.NoPathError), pytest.warns(UserWarning, match="sums to"):
                wl.multi_label_ctc(*call, encoding=encoding, **settings)
            assert x.grad[item].count_nonzero() == lens.H[item].count_nonzero() == 0
            continue
        if item == 0:
            with pytest.warns(UserWarning, match="sums to"):
                truth = wl.multi_label_ctc(*call, encoding=encoding, **settings)
        else:
            truth = wl.multi_label_ctc(*call, encoding=encoding, **settings)
        np.testing.assert_allclose(values[item].item(), truth.value, atol=1e-9)
        for name in ("value", "h", "y_mod", "H", "E", "H_tilde", "visits", "entropy", "expanded"):
            expected = getattr(truth, name)
            found = getattr(lens, name)[item].numpy()
            np.testing.assert_allclose(cut(found, np.shape(expected)), expected, atol=1e-9, err_msg=name)
            np.testing.assert_allclose(found.sum(), np.sum(expected), atol=1e-9, err_msg=name)
        np.testing.assert_allclose(x.grad[item, :N], truth.x_grad, atol=1e-9)
        assert (x.grad[item, N:] == 0).all()
        share = truth.visits[::2].sum() / N
        np.testing.assert_allclose(lens.blank_share[item], share, atol=1e-9)


@pytest.mark.parametrize("encoding", SHAPES)
def test_values_are_sums_over_every_path(encoding):
    x = log_probs(encoding)[0, :5]
    w = wlt.align_multi_label_ctc(x, Y[0], encoding=encoding).expanded
    scores = torch.einsum("nak,mak->nm", x, w[[0, 1, 5]]).numpy()
    truth = by_every_path(scores, [1, 1, 2], 0, Costs(gamma=0.8))
    found = wlt.align_multi_label_ctc(x, Y[0], encoding=encoding, gamma=0.8)
    np.testing.assert_allclose(found.value.item(), truth.value, atol=1e-11)
    np.testing.assert_allclose(found.E, truth.E, atol=1e-11)


@pytest.mark.parametrize("backend", ["core", "ops"])
@pytest.mark.parametrize("encoding", SHAPES)
def test_first_and_second_derivatives(backend, encoding):
    loss = wlt.MultiLabelCTCLoss(
        encoding, blank_weight=1.5, free_between=True, normalize="x_length", backend=backend
    )
    del loss.gamma, loss.blank_penalty  # buffers, which become arguments here

    def value(x, gamma, penalty):
        loss.gamma, loss.blank_penalty = gamma, penalty
        return loss(x, Y[:2, :, :2], (4, 3), (2, 2))

    shape = (2, 4, 3 if encoding == "we" else 2, SHAPES[encoding][1])
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    inputs = (x, torch.tensor(0.8).double(), torch.tensor(0.3).double())
    inputs = tuple(tensor.requires_grad_() for tensor in inputs)
    assert torch.autograd.gradcheck(value, inputs)
    assert torch.autograd.gradgradcheck(value, inputs)


def test_single_precision_is_that_of_double():
    """Costs are sums over pitches, which are made in double precision."""
    generator = torch.Generator().manual_seed(5)
    x = (5 * torch.randn(2, 300, 61, 2, generator=generator)).log_softmax(3)
    y = (torch.rand(2, 60, 60, generator=generator) < 0.1).to(torch.uint8)
    a, b = (wlt.align_multi_label_ctc(each, y) for each in (x, x.double()))
    assert a.y_mod.dtype == torch.float32
    torch.testing.assert_close(a.y_mod.double(), b.y_mod, rtol=0, atol=1e-6)
    torch.testing.assert_close(a.h.double(), b.h, rtol=0, atol=1e-6)


def test_errors_name_the_argument():
    x = log_probs("we")
    loss = wlt.MultiLabelCTCLoss()
    for arguments, kind, message in [
        ((x.numpy(), Y), TypeError, "log_probs: is a ndarray"),
        ((x, Y.numpy()), TypeError, "y: is a ndarray"),
        ((x.long(), Y), TypeError, "log_probs: has dtype torch.int64"),
        ((x[0], Y), ValueError, "both or neither have an axis of items"),
        ((x[:, :, 1:], Y), ValueError, r'for D = 3 pitches under "we" \(items, frames, 1\+D, 2\)'),
        ((x[:2], Y), ValueError, "the same number of items"),
        ((x[:0], Y[:0]), ValueError, "at least one of each is needed"),
        ((x, Y), ValueError, r"y: is 9 at index \(1, 2, 0\); 0 and 1"),
        ((x, Y, (8, 5, 4)), ValueError, "x_lengths: entry 0 is 8"),
        ((x, Y, None, (3, 2, 0)), ValueError, "y_lengths: entry 2 is 0"),
    ]:
        with pytest.raises(kind, match=message):
            loss(*arguments)
        with pytest.raises(kind, match=message):
            wlt.align_multi_label_ctc(*arguments)
    silent = Y.clone()
    silent[1, 1] = 0
    with pytest.raises(ValueError, match='y: target 1 of item 1 is all off, which under "ne2" equals'):
        wlt.MultiLabelCTCLoss("ne2")(log_probs("ne2"), silent, *LENGTHS)
    with pytest.raises(ValueError, match="encoding: is 'one'"):
        wlt.MultiLabelCTCLoss("one")
    with pytest.raises(ValueError, match="blank_weight: is -1"):
        wlt.MultiLabelCTCLoss(blank_weight=-1)
