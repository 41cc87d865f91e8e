"""The module, and how pairs become one number."""

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from torch import nn

import warplens as wl
import warplens.torch as wlt

LENGTHS = ([6, 3, 1], [4, 4, 2])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [LENGTHS, (None, None), (None, LENGTHS[1])])
def test_reduction_and_normalization(lengths, backend):
    x, y = random_batch("mse")
    values = wlt.soft_dtw_loss(x, y, *lengths, reduction="none", backend=backend)
    n, m = (
        torch.tensor(given if given is not None else [size] * 3)
        for given, size in zip(lengths, (6, 4), strict=True)
    )
    divisors = {"none": torch.ones(3), "x_length": n, "y_length": m, "both": n + m}
    for normalize, divisor in divisors.items():
        for reduction, reduce in (("none", lambda v: v), ("mean", torch.mean), ("sum", torch.sum)):
            loss = wlt.soft_dtw_loss(
                x, y, *lengths, normalize=normalize, reduction=reduction, backend=backend
            )
            torch.testing.assert_close(loss, reduce(values / divisor))
            module = wlt.SoftDTWLoss(normalize=normalize, reduction=reduction, backend=backend)
            assert torch.equal(module(x, y, *lengths), loss)
            C = 0.5 * torch.cdist(x, y) ** 2
            from_costs = wlt.soft_dtw_from_costs(
                C, *lengths, normalize=normalize, reduction=reduction, backend=backend
            )
            torch.testing.assert_close(from_costs, loss)


@pytest.mark.parametrize("backend", BACKENDS)
def test_modified_targets_do_not_depend_on_normalization(backend):
    x, y = random_batch("mse")
    x.requires_grad_()
    wlt.soft_dtw_loss(x, y, normalize="both", reduction="sum", backend=backend).backward()
    alignment = wlt.align(x, y, backend=backend)
    expected = alignment.h.unsqueeze(2) * (x - alignment.y_mod) / (6 + 4)
    torch.testing.assert_close(x.grad, expected.detach())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [(None, None), (5, 3), ([5], torch.tensor([3])), (torch.tensor(5), None)])
def test_an_unbatched_pair_is_a_batch_of_one(lengths, backend):
    x, y = random_batch("mse", B=1)
    batched = [None if n is None else torch.as_tensor(n).reshape(1) for n in lengths]
    for reduction in ("none", "mean", "sum"):
        loss = wlt.soft_dtw_loss(x[0], y[0], *lengths, reduction=reduction, backend=backend)
        assert loss.shape == ()
        assert loss == wlt.soft_dtw_loss(x, y, *batched, backend=backend)


@pytest.mark.parametrize("kind", [list, tuple, torch.tensor, lambda n: torch.tensor(n, dtype=torch.int32)])
def test_lengths_as_sequence_or_tensor(kind):
    x, y = random_batch("mse")
    expected = wlt.soft_dtw_loss(x, y, *LENGTHS)
    assert wlt.soft_dtw_loss(x, y, *(kind(lengths) for lengths in LENGTHS)) == expected


def test_gamma_and_step_weights_are_in_the_state_dict():
    loss = wlt.SoftDTWLoss(gamma=0.1, step_weights=(0.1, 1, 1))
    assert set(loss.state_dict()) == {"gamma", "step_weights"}
    assert not list(loss.parameters())
    other = wlt.SoftDTWLoss()
    other.load_state_dict(loss.state_dict())
    assert other.gamma.item() == 0.1
    assert other.step_weights.tolist() == [0.1, 1.0, 1.0]
    x, y = random_batch("mse")
    assert torch.equal(loss(x, y), other(x, y))
    weighted = wlt.SoftDTWLoss("bce", feature_weights=[1, 2, 3], pos_weight=torch.tensor([0.1, 1, 1]))
    assert set(weighted.state_dict()) == {"gamma", "step_weights", "feature_weights", "pos_weight"}


@pytest.mark.parametrize(
    "cast",
    [
        nn.Module.half,
        nn.Module.bfloat16,
        nn.Module.float,
        lambda module: module.to(torch.float16),
        lambda module: module.to("cpu", torch.bfloat16),
        lambda module: module.type(torch.float32),
    ],
)
@pytest.mark.parametrize("as_parameter", [False, True])
def test_no_cast_rounds_gamma_or_the_weights(cast, as_parameter):
    gamma = torch.tensor(0.1, dtype=torch.float64)
    weights = torch.tensor([0.1, 0.7, 1.3], dtype=torch.float64)
    if as_parameter:
        gamma, weights = nn.Parameter(gamma), nn.Parameter(weights)
    loss = wlt.SoftDTWLoss("bce", gamma, weights, feature_weights=[0.1, 0.2, 0.3])
    model = nn.Sequential(nn.Linear(3, 3), loss)
    for parameter in loss.parameters():
        parameter.grad = torch.full_like(parameter, 0.1)
    cast(model)
    assert model[0].weight.dtype in (torch.float16, torch.bfloat16, torch.float32)
    for tensor in loss.state_dict().values():
        assert tensor.dtype == torch.float64
    assert loss.gamma.item() == 0.1
    assert loss.step_weights.tolist() == [0.1, 0.7, 1.3]
    assert loss.feature_weights.tolist() == [0.1, 0.2, 0.3]
    for parameter in loss.parameters():
        assert parameter.grad.dtype == torch.float64
        assert (parameter.grad == 0.1).all()
    assert len(list(loss.parameters())) == 2 * as_parameter


def test_a_device_move_takes_gamma_along():
    loss = wlt.SoftDTWLoss(gamma=nn.Parameter(torch.tensor(0.1)), step_weights=(0.1, 1, 1)).to("meta")
    assert loss.gamma.device.type == loss.step_weights.device.type == "meta"
    assert loss.gamma.dtype == torch.float32
    assert loss.step_weights.dtype == torch.float64
    assert loss.half().step_weights.dtype == torch.float64


def test_a_device_without_float64_leaves_gamma_where_it_is():
    loss = wlt.SoftDTWLoss(gamma=0.1)

    def move(tensor):
        if tensor.dtype == torch.float64:
            raise TypeError("this device has no float64")
        return tensor

    loss._apply(move)
    assert loss.gamma.item() == 0.1


@pytest.mark.parametrize("backend", BACKENDS)
def test_gamma_and_step_weights_as_parameters_learn(backend):
    gamma = nn.Parameter(torch.tensor(1.0))
    loss = wlt.SoftDTWLoss(gamma=gamma, step_weights=nn.Parameter(torch.ones(3)), backend=backend)
    assert dict(loss.named_parameters()).keys() == {"gamma", "step_weights"}
    assert loss.gamma is gamma
    x, y = random_batch("mse")
    optimizer = torch.optim.SGD(loss.parameters(), lr=1e-3)
    before = loss(x, y)
    before.backward()
    assert gamma.grad.dtype == torch.float32
    assert gamma.grad < 0  # -entropy
    optimizer.step()
    assert loss(x, y) < before


def test_gamma_is_changed_in_place():
    loss = wlt.SoftDTWLoss()
    x, y = random_batch("mse")
    loss.gamma.fill_(0.25)
    assert loss(x, y) == wlt.soft_dtw_loss(x, y, gamma=0.25)
    loss.gamma.fill_(-1.0)
    with pytest.raises(ValueError, match=r"gamma: is -1\.0"):
        loss(x, y)


def test_a_buffer_does_not_follow_the_tensor_it_was_made_of():
    given = torch.tensor(0.5)
    loss = wlt.SoftDTWLoss(gamma=given)
    given.fill_(2.0)
    assert loss.gamma == 0.5


def test_a_network_learns_with_it():
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    frames, target = torch.randn(2, 20, 4), (torch.rand(2, 6, 3) > 0.5).float()
    loss_fn = wlt.SoftDTWLoss("bce_logits", gamma=0.1, step_weights=(0.1, 1, 1), normalize="x_length")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = loss_fn(model(frames), target, [20, 15], [6, 4])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_repr_shows_the_settings():
    loss = wlt.SoftDTWLoss("bce", 0.1, (0.1, 1, 1), normalize="both", band=wl.SakoeChiba(4))
    assert repr(loss) == (
        "SoftDTWLoss(cost='bce', gamma=0.1, step_weights=(0.1, 1, 1), reduction='mean', normalize='both', "
        "band=SakoeChiba(radius=4))"
    )
