"""Exactness: float32 beside float64, long sequences, and memory that does not grow with them."""

import subprocess
import sys

import pytest
import torch
from torch.nn import functional

import warplens.torch as wlt


def problem(T, K, L, scale, *, items=2, repeats=False, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(T, items, K, generator=generator)
    targets = torch.randint(1, 3 if repeats else K, (items, L), generator=generator)
    return logits, (targets, (T,) * items, (L,) * items)


def gradient_of(loss, x, targets):
    x = x.clone().requires_grad_()
    value = loss(x, *targets)
    value.sum().backward()
    return value.detach().double(), x.grad.double()


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0, 50.0])
@pytest.mark.parametrize(("T", "K", "L"), [(60, 7, 20), (300, 30, 64), (1000, 80, 100)])
def test_float32_is_that_of_float64(T, K, L, scale):
    logits, targets = problem(T, K, L, scale)
    x = logits.double().requires_grad_()
    theirs = functional.ctc_loss(x.log_softmax(2), *targets, reduction="none")
    theirs.sum().backward()
    fused = wlt.CTCLoss(reduction="none", from_logits=True)
    value, gradient = gradient_of(fused, logits.double(), targets)
    torch.testing.assert_close(value, theirs.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, x.grad, rtol=0, atol=1e-9)
    narrow, narrow_gradient = gradient_of(fused, logits, targets)
    torch.testing.assert_close(narrow, value, rtol=1e-6, atol=0)
    torch.testing.assert_close(narrow_gradient, gradient, rtol=0, atol=5e-6)
    log_probs = logits.log_softmax(2)
    plain = wlt.CTCLoss(reduction="none")
    _, exact = gradient_of(plain, log_probs.double(), targets)
    _, found = gradient_of(plain, log_probs, targets)
    torch.testing.assert_close(found, exact, rtol=0, atol=5e-6)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
def test_twenty_thousand_frames(scale):
    logits, targets = problem(20_000, 40, 2000, scale, items=1)
    loss = wlt.CTCLoss(reduction="sum", from_logits=True)
    value, gradient = gradient_of(loss, logits.double(), targets)
    narrow, narrow_gradient = gradient_of(loss, logits, targets)
    assert abs(narrow / value - 1) < 1e-6
    assert (narrow_gradient - gradient).abs().max() < 1e-5
    assert gradient.sum(2).abs().max() < 1e-9
    assert narrow_gradient.sum(2).abs().max() < 1e-5


@pytest.mark.slow
def test_long_sequences_fit_into_little_memory():
    # VmHWM is of the process alone; ru_maxrss of a child starts at the size of its parent.
    code = """
import pathlib, torch
import warplens.torch as wlt
def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
x = torch.randn(20_000, 1, 40).requires_grad_()
y = torch.randint(1, 40, (1, 2000))
wlt.CTCLoss(from_logits=True)(x[:50], y[:, :5], (50,), (5,)).backward()
before = peak()
wlt.CTCLoss(from_logits=True)(x, y, (20_000,), (2000,)).backward()
print(peak() - before, peak())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    more, whole = map(float, run.stdout.split())  # MiB
    assert more < 60  # of which 9 are gradients
    assert whole < 1024  # with torch


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_far_apart(dtype):
    """Sizes that no float holds as exp: sums of 1e9 and more, and padding by the least float."""
    x = torch.zeros(8, 1, 4, dtype=dtype)
    x[:, :, 1:] = -1e6
    x[3, :, 2] = 0.0
    targets = (torch.tensor([[2, 1]]), (8,), (2,))
    value, gradient = gradient_of(wlt.CTCLoss(reduction="sum"), x, targets)
    expected = 1e6 - torch.tensor(4.0).double().log()  # the second label in one of four frames
    torch.testing.assert_close(value[0] if value.ndim else value, expected.to(dtype).double())
    torch.testing.assert_close(gradient[3, 0, 2], torch.tensor(-1.0).double())
    masked = torch.full((8, 1, 4), torch.finfo(dtype).min, dtype=dtype)
    masked[..., :3] = torch.tensor([-1.0, -1.5, -2.0], dtype=dtype)
    reduced = masked[..., :3].clone()
    for loss in (wlt.CTCLoss(reduction="sum"), wlt.CTCLoss(reduction="sum", from_logits=True)):
        a, b = (gradient_of(loss, each, targets) for each in (masked, reduced))
        assert a[0] == b[0]
        assert torch.equal(a[1][..., :3], b[1])
        assert (a[1][..., 3] == 0).all() or a[1][..., 3].abs().max() < 1e-37


def test_nan_stays_in_its_item():
    logits, targets = problem(30, 6, 5, 1.0, items=3)
    logits[4, 1, 0] = torch.nan
    loss = wlt.CTCLoss(reduction="none", from_logits=True)
    value, gradient = gradient_of(loss, logits, targets)
    assert value.isnan().tolist() == [False, True, False]
    assert gradient[:, 1].isnan().all()
    assert gradient[:, [0, 2]].isfinite().all()
