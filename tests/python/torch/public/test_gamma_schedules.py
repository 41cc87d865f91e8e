"""Schedules of gamma: their formulas, resumption, and bad input."""

import json
import math

import numpy as np
import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from torch import nn

import warplens.torch as wlt

POINTS = [(2, 8.0), (5, 2.0), (9, 3.0)]

# kind, its arguments, gamma at step t
KINDS = [
    (wlt.ConstantGamma, (0.3,), lambda t: 0.3),
    (wlt.LinearGamma, (10.0, 0.1, 7), lambda t: 10.0 + (0.1 - 10.0) * min(t / 7, 1)),
    (wlt.LinearGamma, (0.5, 0.0, 3), lambda t: 0.5 * max(0, 1 - t / 3)),
    (wlt.ExponentialGamma, (10.0, 0.1, 6), lambda t: 10.0 * math.exp(math.log(0.01) * min(t / 6, 1))),
    (wlt.PiecewiseGamma, (POINTS,), lambda t: float(np.interp(t, *zip(*POINTS, strict=True)))),
    (wlt.PiecewiseGamma, ([(4, 0.7)],), lambda t: 0.7),
]
NAMES = [f"{kind.__name__}{arguments}" for kind, arguments, _ in KINDS]


@pytest.mark.parametrize(("kind", "arguments", "formula"), KINDS, ids=NAMES)
def test_every_step_has_the_gamma_of_the_formula(kind, arguments, formula):
    loss = wlt.SoftDTWLoss(gamma=5.0)
    buffer = loss.gamma
    schedule = kind(loss, *arguments)
    for t in range(15):
        assert schedule.last_step == t
        assert loss.gamma.item() == pytest.approx(formula(t), rel=1e-12, abs=1e-15)
        assert schedule.get_last_gamma() == loss.gamma.item()
        schedule.step()
    assert loss.gamma is buffer
    assert isinstance(schedule, wlt.GammaSchedule)


def test_the_end_is_met_exactly():
    for kind in (wlt.LinearGamma, wlt.ExponentialGamma):
        loss = wlt.SoftDTWLoss()
        schedule = kind(loss, 10, 0.1, 3)
        assert loss.gamma.item() == 10
        for _ in range(3):
            schedule.step()
        assert loss.gamma.item() == 0.1


def test_the_published_schedule():
    loss = wlt.SoftDTWLoss()
    schedule = wlt.PiecewiseGamma.published(loss, steps_per_epoch=4)
    gammas = []
    for _ in range(100):
        gammas.append(schedule.get_last_gamma())
        schedule.step()
    assert set(gammas[:41]) == {10.0}
    np.testing.assert_allclose(np.diff(gammas[40:81]), (0.1 - 10) / 40, rtol=1e-9)
    assert set(gammas[80:]) == {0.1}
    assert wlt.PiecewiseGamma.published(loss).points == [(10, 10.0), (20, 0.1)]


@pytest.mark.parametrize(("kind", "arguments", "formula"), KINDS, ids=NAMES)
@pytest.mark.parametrize("stop", [0, 1, 4, 12])
def test_resumed_is_as_uninterrupted(kind, arguments, formula, stop, tmp_path):
    loss = wlt.SoftDTWLoss()
    schedule = kind(loss, *arguments)
    for _ in range(stop):
        schedule.step()
    torch.save(schedule.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert json.loads(json.dumps(state)).keys() == state.keys()
    later_loss = wlt.SoftDTWLoss()
    later = kind(later_loss, *arguments)
    later.load_state_dict(state)
    for _ in range(12):
        assert later_loss.gamma == loss.gamma
        schedule.step()
        later.step()


def test_a_state_holds_the_settings_too():
    schedule = wlt.LinearGamma(wlt.SoftDTWLoss(), 4.0, 2.0, 2)
    schedule.step()
    loss = wlt.SoftDTWLoss()
    other = wlt.LinearGamma(loss, 1.0, 1.0, 9)
    other.load_state_dict(schedule.state_dict())
    assert loss.gamma == 3.0
    other.step()
    assert loss.gamma == 2.0


def test_a_state_of_another_kind_is_refused():
    loss = wlt.SoftDTWLoss()
    state = wlt.ConstantGamma(loss, 0.25).state_dict()
    with pytest.raises(ValueError, match=r"state: is of the kind 'ConstantGamma', but this is a LinearGamma"):
        wlt.LinearGamma(loss, 1.0, 0.1, 3).load_state_dict(state)
    # Of the same settings, but neither the same curve nor the same buffer.
    for one, other in (
        (wlt.LinearGamma(loss, 1.0, 0.1, 3), wlt.ExponentialGamma(loss, 1.0, 0.1, 3)),
        (
            wlt.PiecewiseGamma(loss, POINTS),
            wlt.PiecewisePriorWeight(wlt.DiagonalPrior("mse", 1.0), POINTS),
        ),
    ):
        for state, schedule in ((one.state_dict(), other), (other.state_dict(), one)):
            with pytest.raises(ValueError, match=r"state: is of the kind"):
                schedule.load_state_dict(state)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("last", -5, ValueError),
        ("last", math.nan, ValueError),
        ("last", "1", TypeError),
        ("last_step", -1, ValueError),
        ("last_step", 1.5, TypeError),
    ],
)
def test_a_position_that_cannot_be_is_refused_and_changes_nothing(name, value, error):
    loss = wlt.SoftDTWLoss()
    schedule = wlt.LinearGamma(loss, 1.0, 0.1, 3)
    before = schedule.state_dict()
    with pytest.raises(error, match=f"state: {name}: is "):
        schedule.load_state_dict({**before, "start": 7.0, name: value})
    assert schedule.state_dict() == before
    assert loss.gamma == 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_loss_uses_it(backend):
    x, y = random_batch("mse")
    loss = wlt.SoftDTWLoss(backend=backend)
    schedule = wlt.ExponentialGamma(loss, 4.0, 0.25, 4)
    for gamma in (4.0, 2.0, 1.0, 0.5, 0.25, 0.25):
        assert loss(x, y) == pytest.approx(wlt.soft_dtw_loss(x, y, gamma=gamma, backend=backend).item())
        schedule.step()


def test_it_moves_between_forward_and_backward():
    x, y = random_batch("mse")
    loss = wlt.SoftDTWLoss()
    schedule = wlt.LinearGamma(loss, 1.0, 0.1, 2)
    x.requires_grad_()
    value = loss(x, y)
    schedule.step()
    value.backward()
    expected = x.detach().clone().requires_grad_()
    wlt.soft_dtw_loss(expected, y, gamma=1.0).backward()
    torch.testing.assert_close(x.grad, expected.grad)


def test_a_module_moved_or_cast_is_still_scheduled():
    loss = wlt.SoftDTWLoss()
    schedule = wlt.LinearGamma(loss, 1.0, 0.1, 2)
    nn.Sequential(loss).half()
    schedule.step()
    assert loss.gamma.item() == pytest.approx(0.55, rel=1e-15)


@pytest.mark.parametrize("with_prior", [False, True])
def test_nothing_is_compiled_again(with_prior):
    """Gamma and the weight of a prior move under a compiled loss, which goes on as it is."""
    from torch._dynamo.testing import CompileCounter

    x, y = random_batch("mse")
    prior = wlt.DiagonalPrior("mse", 1.0)
    loss = wlt.SoftDTWLoss(prior if with_prior else "mse", backend="ops")
    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(loss, backend=counter)
    schedule = wlt.LinearGamma(compiled, 10.0, 0.1, 4)
    weight = wlt.PiecewisePriorWeight(prior, [(0, 1.0), (4, 0.0)])
    compiled(x, y)
    first = counter.frame_count
    for _ in range(5):
        schedule.step()
        weight.step()
        torch.testing.assert_close(compiled(x, y), loss(x, y))
    assert counter.frame_count == first > 0


def test_bad_input_names_what_is_wrong():
    loss = wlt.SoftDTWLoss()
    learned = wlt.SoftDTWLoss(gamma=nn.Parameter(torch.tensor(1.0)))
    with pytest.raises(ValueError, match=r"loss: its gamma is an nn\.Parameter"):
        wlt.ConstantGamma(learned, 0.1)
    assert learned.gamma == 1.0
    with pytest.raises(TypeError, match=r"loss: is a Linear, which has no buffer 'gamma'"):
        wlt.ConstantGamma(nn.Linear(1, 1), 0.1)
    cases = [
        (ValueError, r"gamma: is -1\.0", lambda: wlt.ConstantGamma(loss, -1)),
        (TypeError, r"gamma: is '1'", lambda: wlt.ConstantGamma(loss, "1")),
        (ValueError, r"start: is nan", lambda: wlt.LinearGamma(loss, math.nan, 1, 3)),
        (ValueError, r"end: is 0\.0; .* above 0", lambda: wlt.ExponentialGamma(loss, 1, 0, 3)),
        (ValueError, r"steps: is 0; .* 1 or more", lambda: wlt.LinearGamma(loss, 1, 0, 0)),
        (TypeError, r"steps: is 2\.5", lambda: wlt.LinearGamma(loss, 1, 0, 2.5)),
        (ValueError, r"points: empty", lambda: wlt.PiecewiseGamma(loss, [])),
        (ValueError, r"points: entry 1 .* must ascend", lambda: wlt.PiecewiseGamma(loss, [(3, 1), (3, 2)])),
        (TypeError, r"points: entry 0 is 3", lambda: wlt.PiecewiseGamma(loss, [3])),
        (ValueError, r"points\[0\]: is -1", lambda: wlt.PiecewiseGamma(loss, [(-1, 2)])),
    ]
    for error, message, call in cases:
        with pytest.raises(error, match=message):
            call()
    assert loss.gamma == 1.0
