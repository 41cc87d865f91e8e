"""Laws of CTC as one alignment loss among others, on random items of some size."""

import itertools

import pytest
import torch
from oracles.ctc import Costs, by_recursion, least_frames

import warplens.torch as wlt


def random_item(seed):
    generator = torch.Generator().manual_seed(seed)
    K = 6
    labels = torch.randint(1, 4, (int(torch.randint(1, 12, (), generator=generator)),), generator=generator)
    T = least_frames(labels.tolist()) + int(torch.randint(0, 30, (), generator=generator))
    logits = 2 * torch.randn(T, K, dtype=torch.float64, generator=generator)
    return logits.log_softmax(1), labels, (T,), (len(labels),)


SEEDS = range(12)
CLOSE = {"rtol": 0, "atol": 1e-11}


@pytest.mark.parametrize("seed", SEEDS)
def test_occupancy(seed):
    log_probs, labels, T, L = random_item(seed)
    lens = wlt.align_ctc(log_probs, labels, T, L)
    ones = torch.ones(T[0], dtype=torch.float64)
    torch.testing.assert_close(lens.h, ones, **CLOSE)
    torch.testing.assert_close(lens.H, lens.E, **CLOSE)
    torch.testing.assert_close(lens.y_mod.sum(1), ones, **CLOSE)
    # Labels, and blanks that are needed, are visited in a frame at least.
    visits = lens.visits
    assert (visits[1::2] >= 1 - 1e-11).all()
    repeats = [2 * j for j in range(1, L[0]) if labels[j] == labels[j - 1]]
    assert (visits[repeats] >= 1 - 1e-11).all()
    torch.testing.assert_close(visits.sum(), torch.tensor(T[0]).double())
    # Between two columns, a path has crossed or not: what is on the left side only falls from frame to frame.
    left = lens.E.cumsum(1)
    assert (left[1:] <= left[:-1] + 1e-11).all()
    taught = torch.zeros_like(log_probs).index_add(1, lens.expanded, lens.E)
    torch.testing.assert_close(lens.y_mod, taught, **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_gradients_are_those_of_the_lens(seed, weight):
    log_probs, labels, T, L = random_item(seed)
    kwargs = {"blank_weight": weight, "free_between": seed % 2 == 0, "gamma": 0.7, "blank_penalty": 0.2}
    lens = wlt.align_ctc(log_probs, labels, T, L, **kwargs)
    for from_logits in (False, True):
        x = log_probs.clone().requires_grad_()
        wlt.CTCLoss(reduction="sum", from_logits=from_logits, **kwargs)(x, labels, T, L).backward()
        softmax = x.detach().softmax(1) if from_logits else 0.0
        torch.testing.assert_close(x.grad, lens.h[:, None] * (softmax - lens.y_mod), **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_value_scales(seed):
    """value(k C, k b, k gamma) = k value, and value = mean cost + gamma dvalue/dgamma."""
    log_probs, labels, T, L = random_item(seed)
    at = wlt.align_ctc(log_probs, labels, T, L, gamma=0.6, blank_penalty=0.3)
    scaled = wlt.align_ctc(3 * log_probs, labels, T, L, gamma=1.8, blank_penalty=0.9)
    torch.testing.assert_close(scaled.value, 3 * at.value)
    torch.testing.assert_close(scaled.E, at.E, **CLOSE)
    mean_cost = -(at.H * log_probs[:, at.expanded]).sum() + 0.3 * at.visits[::2].sum()
    torch.testing.assert_close(at.value, mean_cost - 0.6 * at.entropy)


@pytest.mark.parametrize("seed", SEEDS)
def test_costs_that_all_columns_share_change_the_value_alone(seed):
    log_probs, labels, T, L = random_item(seed)
    shift = torch.randn(T[0], 1, dtype=torch.float64)
    a, b = (wlt.align_ctc(each, labels, T, L) for each in (log_probs, log_probs + shift))
    torch.testing.assert_close(b.value, a.value - shift.sum())
    torch.testing.assert_close(b.E, a.E, **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
def test_backwards_in_time_is_the_same(seed):
    log_probs, labels, T, L = random_item(seed)
    there = wlt.align_ctc(log_probs, labels, T, L)
    back = wlt.align_ctc(log_probs.flip(0), labels.flip(0), T, L)
    torch.testing.assert_close(back.value, there.value)
    torch.testing.assert_close(back.E.flip((0, 1)), there.E, **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_penalty_is_a_lower_log_probability_and_dearer_blanks_are_fewer(seed):
    log_probs, labels, T, L = random_item(seed)
    lowered = log_probs.clone()
    lowered[:, 0] -= 1.3
    a = wlt.align_ctc(log_probs, labels, T, L, blank_penalty=1.3)
    b = wlt.align_ctc(lowered, labels, T, L)
    torch.testing.assert_close(a.value, b.value)
    torch.testing.assert_close(a.E, b.E, **CLOSE)
    shares = [
        wlt.align_ctc(log_probs, labels, T, L, blank_penalty=p).blank_share for p in (-2.0, 0.0, 1.0, 4.0)
    ]
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(shares))


@pytest.mark.parametrize("seed", SEEDS)
def test_without_blanks_paths_are_those_of_the_forward_sum(seed):
    """p(blank) = 0, and blanks that are needed alone, against sums over labels by their own recursion."""
    log_probs, labels, T, L = random_item(seed)
    labels = torch.unique_consecutive(labels)
    L = (len(labels),)
    forbidden = log_probs.clone()
    forbidden[:, 0] = -torch.inf
    a = torch.full((L[0],), -torch.inf, dtype=torch.float64)
    a[0] = log_probs[0, labels[0]]
    for t in range(1, T[0]):
        before = torch.cat([a.new_full((1,), -torch.inf), a[:-1]])
        a = torch.logaddexp(a, before) + log_probs[t, labels]
    for lens in (
        wlt.align_ctc(forbidden, labels, T, L),
        wlt.align_ctc(log_probs, labels, T, L, blank_penalty=torch.inf),
    ):
        torch.testing.assert_close(lens.value, -a[-1])
        assert (lens.visits[::2] == 0).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_is_that_of_the_reference(seed, dtype):
    log_probs, labels, T, L = random_item(seed)
    log_probs = log_probs.to(dtype)
    kwargs = {"gamma": 0.7, "blank_penalty": 0.4, "blank_weight": 1.7, "free_between": seed % 2 == 0}
    truth = by_recursion(log_probs.double().numpy(), labels, 0, Costs(**kwargs))
    lens = wlt.align_ctc(log_probs, labels, T, L, **kwargs)
    atol = 1e-11 if dtype == torch.float64 else 2e-6
    for name, expected in {"E": truth.E, "H": truth.H, "y_mod": truth.y_mod(6)}.items():
        torch.testing.assert_close(
            getattr(lens, name), torch.tensor(expected).to(dtype), rtol=0, atol=atol, msg=name
        )
    torch.testing.assert_close(lens.entropy.item(), truth.entropy, rtol=0, atol=100 * atol)


def test_a_hard_item_is_taught_at_a_peak():
    """Two labels that are sure in a frame each: the rest is blank."""
    log_probs = torch.full((9, 3), -9.0)
    log_probs[:, 0] = 0.0
    log_probs[2] = torch.tensor([-9.0, 0.0, -9.0])
    log_probs[6] = torch.tensor([-9.0, -9.0, 0.0])
    lens = wlt.align_ctc(log_probs.log_softmax(1), torch.tensor([1, 2]), (9,), (2,))
    assert lens.y_mod.argmax(1).tolist() == [0, 0, 1, 0, 0, 0, 2, 0, 0]
    assert 0.7 < lens.blank_share < 0.8
    assert lens.expanded.tolist() == [0, 1, 0, 2, 0]
