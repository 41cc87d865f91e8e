"""`SoftDTWLoss` with steps, penalties and open ends: copies, files, casts, devices, schedules and threads."""

import copy
import io
import pickle
import threading

import numpy as np
import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from torch import nn

import warplens as wl
import warplens.torch as wlt

LENGTHS = [6, 3, 5], [4, 4, 2]


def parameter(value):
    return nn.Parameter(torch.tensor(value, dtype=torch.float64))


def made():
    """Yield a loss of each kind, and the names in its state."""
    yield wlt.SoftDTWLoss(step_penalties=(0.1, 0.3, 0.0)), {"step_weights", "step_penalties"}
    learned = wlt.SoftDTWLoss(step_penalties=parameter([0.1, 0.3, 0.0]))
    yield learned, {"step_weights", "step_penalties"}
    kinds = {f"step_penalties.{kind}" for kind in ("horizontal", "vertical", "diagonal")}
    arrays = wlt.SoftDTWLoss(step_penalties=(parameter(0.1), np.full((6, 1), 0.2), torch.full((1, 4), 0.3)))
    yield arrays, {"step_weights", *kinds}
    steps = wlt.SoftDTWLoss(
        "sqeuclidean",
        steps=[wl.Step(1, 1), wl.Step(1, 0, 0.5, parameter(0.1)), wl.Step(2, 1, np.ones((6, 4)))],
    )
    yield steps, {f"steps.{s}.{name}" for s in range(3) for name in ("weight", "penalty")}
    ends = wlt.SoftDTWLoss(open_begin="y", open_end="both", skip_penalty=(0.1, 0.2), minimum="hardmin")
    yield ends, {"step_weights", "skip_penalty"}
    yield wlt.SoftDTWLoss(open_end="x", skip_penalty=parameter(0.1)), {"step_weights", "skip_penalty"}


def gradients_of(loss, *batch):
    x, y = batch or random_batch("mse")
    loss.zero_grad()
    x = x.clone().requires_grad_()
    value = loss(x, y, *LENGTHS)
    value.backward()
    return [value.detach(), x.grad, *(each.grad for each in loss.parameters())]


def test_what_is_in_the_state_dict():
    for loss, names in made():
        assert set(loss.state_dict()) == {"gamma", *names}
    assert set(wlt.SoftDTWLoss().state_dict()) == {"gamma", "step_weights"}
    assert set(wlt.SoftDTWLoss(minimum="hardmin").state_dict()) == {"gamma", "step_weights"}


def test_copies_and_files_give_the_same_losses():
    for (loss, _), (other, _) in zip(made(), made(), strict=True):
        for tensor in other.state_dict().values():
            tensor.zero_()
        expected = gradients_of(loss)
        file = io.BytesIO()
        torch.save(loss.state_dict(), file)
        file.seek(0)
        other.load_state_dict(torch.load(file))
        for same in (other, copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
            assert all(torch.equal(a, b) for a, b in zip(gradients_of(same), expected, strict=True))


@pytest.mark.parametrize("cast", [nn.Module.half, lambda module: module.to(torch.bfloat16)])
def test_no_cast_rounds_penalties(cast):
    for loss, _ in made():
        before = {name: tensor.clone() for name, tensor in loss.state_dict().items()}
        model = nn.Sequential(nn.Linear(3, 3), loss)
        cast(model)
        assert model[0].weight.dtype in (torch.float16, torch.bfloat16)
        for name, tensor in loss.state_dict().items():
            assert tensor.dtype == torch.float64
            assert torch.equal(tensor, before[name])


def test_a_module_built_on_meta_gets_the_values_of_the_constructor():
    expected = {}
    for device in ("cpu", "meta"):
        with torch.device(device):
            loss = wlt.SoftDTWLoss(
                steps=[wl.Step(1, 1), wl.Step(1, 0, 1.0, 0.4)], open_end="x", skip_penalty=0.3
            )
            amerced = wlt.SoftDTWLoss(step_penalties=(0.1, np.full((6, 1), 0.2), 0.0))
        if device == "cpu":
            expected = {**loss.state_dict(), **amerced.state_dict()}
        else:
            assert loss.steps[1].penalty.is_meta
            given = {
                **loss.to_empty(device="cpu").state_dict(),
                **amerced.to_empty(device="cpu").state_dict(),
            }
            assert expected.keys() == given.keys()
            for name, tensor in given.items():
                assert torch.equal(tensor, expected[name])
    loss.steps[1].penalty.fill_(7.0)
    loss.skip_penalty.fill_(7.0)
    loss.reset_parameters()
    assert loss.steps[1].penalty == 0.4
    assert loss.skip_penalty == 0.3


def test_a_repr_tells_the_settings():
    told = [repr(loss) for loss, _ in made()]
    assert "step_penalties=(0.1, 0.3, 0)" in told[0]
    assert "PenaltyTensors(0.1, <6 x 1>, <1 x 4>)" in told[2]
    assert "StepTensors(1, 0, 0.5, 0.1)" in told[3]
    assert "step_weights" not in told[3]
    for each in ("open_begin='y', open_end='both'", "skip_penalty=(0.1, 0.2)", "minimum='hardmin'"):
        assert each in told[4]
    assert "penal" not in repr(wlt.SoftDTWLoss())


def test_a_schedule_of_gamma_reaches_the_model():
    x, y = random_batch("mse")
    settings = {"open_begin": "y", "step_penalties": (0.1, 0.1, 0.0)}
    loss = wlt.SoftDTWLoss(gamma=5.0, **settings)
    schedule = wlt.PiecewiseGamma(loss, [(0, 2.0), (1, 0.5)])
    assert loss(x, y) == wlt.soft_dtw_loss(x, y, gamma=2.0, **settings)
    schedule.step()
    assert loss(x, y) == wlt.soft_dtw_loss(x, y, gamma=0.5, **settings)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gamma_and_penalties_may_move_on_before_backward(backend):
    x, y = random_batch("mse")
    expected = gradients_of(wlt.SoftDTWLoss(step_penalties=(0.1, 0.3, 0.0), backend=backend))
    loss = wlt.SoftDTWLoss(step_penalties=(0.1, 0.3, 0.0), backend=backend)
    for create_graph in (False, True):
        loss.reset_parameters()
        x.requires_grad_()
        value = loss(x, y, *LENGTHS)
        loss.gamma.fill_(9.0)
        loss.step_penalties.fill_(9.0)
        (gradient,) = torch.autograd.grad(value, x, create_graph=create_graph)
        torch.testing.assert_close(gradient.detach(), expected[1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_penalties_learn(backend):
    """The loss falls by the penalty of the step that is used most."""
    x, y = random_batch("mse")
    loss = wlt.SoftDTWLoss(step_penalties=parameter([1.0, 1.0, 1.0]), backend=backend)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.01)
    values = []
    for _ in range(3):
        optimizer.zero_grad()
        value = loss(x, y)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[0] > values[1] > values[2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_threads_at_once_get_the_same_bits(backend):
    losses = [loss for loss, _ in made()]
    for loss in losses:
        loss.backend = backend
    expected = [gradients_of(copy.deepcopy(loss)) for loss in losses]
    failures = []

    def work():
        for loss, wanted in zip(losses, expected, strict=True):
            got = gradients_of(copy.deepcopy(loss))
            if not all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True)):
                failures.append(loss)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_same_bits_for_any_number_of_threads():
    x, y = random_batch("mse", B=5, N=90, M=60)
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        x = x.detach().clone().requires_grad_()
        loss = wlt.soft_dtw_loss(x, y, [90, 50, 3, 1, 89], [60] * 5, open_end="x", reduction="sum")
        loss.backward()
        results.append((loss.detach(), x.grad))
    torch.set_num_threads(before)
    for value, gradient in results[1:]:
        assert torch.equal(value, results[0][0])
        assert torch.equal(gradient, results[0][1])


def test_an_alignment_can_be_copied_with_what_was_read():
    x, y = random_batch("mse")
    got = wlt.align(x, y, *LENGTHS, step_penalties=(0.1, 0.2, 0.0))
    visits = got.visits
    for same in (pickle.loads(pickle.dumps(got)), copy.deepcopy(got)):
        assert torch.equal(same.visits, visits)
        assert torch.equal(same.H_tilde, got.H_tilde)
        with pytest.raises(RuntimeError, match="begin: was not read before the alignment was saved"):
            _ = same.begin


@pytest.mark.parametrize("backend", BACKENDS)
def test_align_shows_what_the_loss_teaches(backend):
    """The gradient in x is h times that of the cost against the modified targets."""
    x, y = random_batch("mse")
    for loss in (
        wlt.SoftDTWLoss(step_weights=(0.1, 1, 1), band=wl.SakoeChiba(5)),
        *(each for each, _ in made()),
    ):
        loss.backend = backend
        loss.reduction = "sum"
        x.grad = None
        loss(x.requires_grad_(), y, *LENGTHS).backward()
        got = loss.align(x, y, *LENGTHS)
        factor = 2.0 if loss.cost == "sqeuclidean" else 1.0
        expected = factor * got.h.unsqueeze(2) * (x.detach() - got.y_mod)
        inside = torch.arange(6) < torch.tensor(LENGTHS[0])[:, None]
        torch.testing.assert_close(x.grad, expected * inside.unsqueeze(2))


def test_settings_of_an_alignment_may_change_before_h_is_read():
    x, y = random_batch("mse")
    penalties, gamma = torch.tensor([0.1, 0.2, 0.0]), torch.tensor(0.5)
    got = wlt.align(x, y, gamma=gamma, step_penalties=penalties)
    expected = wlt.align(x, y, gamma=gamma.clone(), step_penalties=penalties.clone()).H
    penalties.fill_(5.0)
    gamma.fill_(5.0)
    assert torch.equal(got.H, expected)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("normalize", ["none", "x_length", "both"])
def test_reductions_are_those_of_the_plain_loss(reduction, normalize):
    x, y = random_batch("mse")
    settings = {"open_end": "y", "skip_penalty": 0.2}
    values = wlt.soft_dtw_loss(x, y, *LENGTHS, reduction="none", **settings)
    divisor = {"none": 1.0, "x_length": torch.tensor([6, 3, 5]), "both": torch.tensor([10, 7, 7])}[normalize]
    reduce = {"none": lambda v: v, "mean": torch.mean, "sum": torch.sum}[reduction]
    got = wlt.soft_dtw_loss(x, y, *LENGTHS, reduction=reduction, normalize=normalize, **settings)
    torch.testing.assert_close(got, reduce(values / divisor))
    one = wlt.soft_dtw_loss(x[0], y[0], reduction=reduction, **settings)
    assert one.shape == ()
    torch.testing.assert_close(one, wlt.soft_dtw_loss(x[:1], y[:1], **settings))


def test_a_prior_on_the_diagonal_adds_to_the_costs():
    x, y = random_batch("mse")
    settings = {"step_penalties": (0.1, 0.1, 0.0)}
    prior = wlt.DiagonalPrior("mse", 3.0, nu=1.0)
    C = 0.5 * torch.cdist(x, y).square() + 3.0 * prior(6, 4)
    expected = wlt.soft_dtw_from_costs(C, **settings)
    torch.testing.assert_close(wlt.SoftDTWLoss(prior, **settings)(x, y), expected)
