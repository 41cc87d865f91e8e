"""The operations path on another device: meta tensors have no values, and waiting for one is an error."""

import pytest
import torch
from oracles.costs import COSTS

import warplens as wl
import warplens.torch as wlt


@pytest.mark.parametrize(
    ("cost", "band", "N", "M"),
    [
        *((cost, None, 4, 2) for cost in COSTS),
        ("mse", wl.SakoeChiba(3), 2, 4),
        ("mse", wl.Itakura(2.0), 3, 3),
    ],
)
def test_no_value_is_read_and_no_device_is_left(cost, band, N, M):
    x = torch.empty(2, N, 3, device="meta", requires_grad=True)
    y = torch.empty(2, M, 3, device="meta", requires_grad=True)
    lengths = torch.empty(2, dtype=torch.int64, device="meta")
    weights = [1.0, 2.0, 3.0]
    loss_fn = wlt.SoftDTWLoss(
        cost,
        torch.nn.Parameter(torch.tensor(0.1)),
        torch.nn.Parameter(torch.ones(3)),
        normalize="both",
        band=band,
        zero_infinity=True,
        feature_weights=weights,
        pos_weight=weights if cost.startswith("bce") else None,
    ).to("meta")
    loss = loss_fn(x, y, lengths, lengths)
    loss.backward()
    assert (loss.device.type, loss.dtype, loss.shape) == ("meta", torch.float32, ())
    for tensor in (x, y, *loss_fn.parameters()):
        assert tensor.grad.device.type == "meta"
        assert tensor.grad.shape == tensor.shape
    alignment = wlt.align(x, y, lengths, None, cost=cost, band=band, gamma=loss_fn.gamma)
    assert alignment.H_tilde.shape == (2, N, M)
    assert alignment.H_tilde.device.type == "meta"


def test_numbers_on_the_host_serve_tensors_on_the_device():
    x, y = (torch.empty(2, size, 3, device="meta", requires_grad=True) for size in (4, 3))
    for gamma in (0.0, 1.0):
        loss = wlt.soft_dtw_loss(x, y, [4, 2], [3, 3], gamma=gamma, step_weights=(0.1, 1, 1))
        loss.backward()
        assert loss.device.type == "meta"
        assert wlt.align(x, y, gamma=gamma).y_mod.shape == (2, 4, 3)


def test_lengths_given_on_the_host_are_checked_there():
    x, y = (torch.empty(2, size, 3, device="meta") for size in (4, 3))
    with pytest.raises(ValueError, match="x_lengths: entry 1 is 5"):
        wlt.soft_dtw_loss(x, y, [4, 5])
