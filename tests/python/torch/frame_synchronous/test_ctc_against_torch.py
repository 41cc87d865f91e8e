"""`CTCLoss` in the place of torch's: 300 sequences, all forms of arguments, and the faults of torch's own."""

import numpy as np
import pytest
import torch
from oracles.ctc import least_frames
from torch.nn import functional

import warplens.torch as wlt


def random_batch(seed, items=6):
    """Logits, padded targets with repeats, and lengths: empty, minimal and impossible ones among them."""
    rng = np.random.default_rng(seed)
    K, blank = int(rng.integers(2, 7)), 0
    blank = int(rng.integers(0, K))
    classes = [k for k in range(K) if k != blank]
    labels = [rng.choice(classes, int(rng.integers(0, 9))) for _ in range(items)]
    frames = [max(1, least_frames(each) + int(rng.integers(-1, 8))) for each in labels]
    frames[0] = max(1, least_frames(labels[0]))
    logits = torch.tensor(rng.normal(0, 2, (max(frames), items, K)))
    targets = torch.full((items, max(map(len, labels))), blank)
    for row, each in zip(targets, labels, strict=True):
        row[: len(each)] = torch.tensor(each)
    return logits, targets, torch.tensor(frames), torch.tensor([len(each) for each in labels]), blank


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("backend", ["core", "ops"])
def test_three_hundred_sequences(reduction, zero_infinity, backend):
    kinds = {"empty": 0, "impossible": 0, "minimal": 0, "repeats": 0}
    for seed in range(50):
        logits, targets, frames, counts, blank = random_batch(seed)
        for count, row, T in zip(counts.tolist(), targets.tolist(), frames.tolist(), strict=True):
            kinds["empty"] += count == 0
            kinds["impossible"] += T < least_frames(row[:count])
            kinds["minimal"] += T == least_frames(row[:count])
            kinds["repeats"] += least_frames(row[:count]) > count
        if not zero_infinity and reduction != "none":
            # A batch whose sum is finite.
            frames = torch.tensor(
                [
                    max(T, least_frames(row[:count]))
                    for T, row, count in zip(frames.tolist(), targets.tolist(), counts.tolist(), strict=True)
                ]
            )
            logits = torch.nn.functional.pad(logits, (0, 0, 0, 0, 0, int(frames.max()) - len(logits)))
        own, theirs, fused = (logits.clone().requires_grad_() for _ in range(3))
        arguments = (targets, frames, counts)
        loss = wlt.CTCLoss(blank, reduction, zero_infinity, backend=backend)
        a = loss(own.log_softmax(2), *arguments)
        c = wlt.CTCLoss(blank, reduction, zero_infinity, from_logits=True, backend=backend)(fused, *arguments)
        b = functional.ctc_loss(
            theirs.log_softmax(2), *arguments, blank=blank, reduction=reduction, zero_infinity=zero_infinity
        )
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(c, b, rtol=1e-11, atol=1e-11)
        weights = torch.linspace(0.5, 2, b.numel(), dtype=b.dtype).reshape(b.shape)
        for value in (a, b, c):
            value.masked_fill(value.isinf(), 0.0).mul(weights).sum().backward()
        # torch's own gradient of an item without a path is the softmax, or NaN: there ours is 0.
        without = torch.tensor(
            [
                T < least_frames(row[:count])
                for T, row, count in zip(frames.tolist(), targets.tolist(), counts.tolist(), strict=True)
            ]
        )
        for grad in (own.grad, fused.grad):
            torch.testing.assert_close(grad[:, ~without], theirs.grad[:, ~without], rtol=1e-10, atol=1e-11)
            assert (grad[:, without] == 0).all()
    assert min(kinds.values()) >= 10, kinds


def test_every_form_of_arguments_gives_the_same():
    logits, targets, frames, counts, blank = random_batch(3)
    log_probs = logits.float().log_softmax(2)
    flat = torch.cat([row[:count] for row, count in zip(targets, counts, strict=True)])
    loss = wlt.CTCLoss(blank, "none")
    expected = loss(log_probs, targets, frames, counts)
    batch_first = log_probs.transpose(0, 1).contiguous().transpose(0, 1)
    forms = [
        (log_probs, flat, frames, counts),
        (log_probs, targets.int(), frames.int(), counts.int()),
        (log_probs, targets, tuple(frames.tolist()), tuple(counts.tolist())),
        (log_probs, flat.to(torch.uint8), frames.tolist(), counts.tolist()),
        (batch_first, targets, frames, counts),
        (log_probs[:, :, None].expand(-1, -1, 2, -1)[:, :, 1], targets, frames, counts),
    ]
    for form in forms:
        assert torch.equal(loss(*form), expected)
    for b in range(len(counts)):
        one = loss(log_probs[:, b], targets[b, : counts[b]], frames[b], counts[b])
        assert torch.equal(one, expected[b])
        mean = wlt.CTCLoss(blank)(log_probs[:, b], targets[b], (int(frames[b]),), (int(counts[b]),))
        torch.testing.assert_close(mean, expected[b] / max(int(counts[b]), 1))


def test_memory_order_and_padding_leave_the_gradient_as_it_is():
    logits, targets, frames, counts, blank = random_batch(4)
    own = logits.clone().requires_grad_()
    wlt.CTCLoss(blank, from_logits=True, zero_infinity=True)(own, targets, frames, counts).backward()
    first = logits.transpose(0, 1).contiguous().requires_grad_()
    noisy = first.detach().clone()
    for row, T in zip(noisy, frames.tolist(), strict=True):
        row[T:] = torch.nan
    noisy.requires_grad_()
    for each in (first, noisy):
        loss = wlt.CTCLoss(blank, from_logits=True, zero_infinity=True)
        loss(each.transpose(0, 1), targets, frames, counts).backward()
        assert torch.equal(each.grad.transpose(0, 1), own.grad)
        for row, T in zip(each.grad, frames.tolist(), strict=True):
            assert (row[T:] == 0).all()


def test_faults_of_torch():
    """Its gradient takes rows for log-softmaxes, so it is off under priors, and NaN where log p = -inf."""
    rng = np.random.default_rng(5)
    x = torch.tensor(rng.normal(0, 1, (7, 4))).log_softmax(1)
    arguments = (torch.tensor([1, 1, 2]), torch.tensor([7]), torch.tensor([3]))
    priors = torch.tensor([0.9, 0.05, 0.03, 0.02]).log().double()
    slope = _slope(lambda a: functional.ctc_loss(a[:, None] - priors, *arguments, reduction="sum"), x)
    theirs, own = x.clone().requires_grad_(), x.clone().requires_grad_()
    functional.ctc_loss(theirs[:, None] - priors, *arguments, reduction="sum").backward()
    wlt.CTCLoss(reduction="sum", log_priors=priors)(own, *arguments).backward()
    assert (own.grad - slope).abs().max() < 1e-8 < 1e-2 < (theirs.grad - slope).abs().max()
    forbidden = x.clone()
    forbidden[2, 2] = forbidden[3, 0] = -torch.inf
    theirs, own = forbidden.clone().requires_grad_(), forbidden.clone().requires_grad_()
    functional.ctc_loss(theirs[:, None], *arguments, reduction="sum").backward()
    value = wlt.CTCLoss(reduction="sum")(own, *arguments)
    value.backward()
    assert theirs.grad.isnan().any()
    assert own.grad.isfinite().all()
    assert own.grad[2, 2] == 0
    assert own.grad[3, 0] == 0
    torch.testing.assert_close(-own.grad.sum(1), torch.ones(7).double())


def _slope(f, x, h=1e-6):
    slope = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        ahead, behind = x.clone(), x.clone()
        ahead[index] += h
        behind[index] -= h
        slope[index] = (f(ahead) - f(behind)) / (2 * h)
    return slope
