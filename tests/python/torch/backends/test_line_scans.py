"""The scans along a line against the recursion entry by entry, and the softmin that they combine by."""

import math

import pytest
import torch

from warplens.torch.backends.ops.affine_scan import AffineScan
from warplens.torch.backends.ops.log_scan import DoublingScan, SummedScan
from warplens.torch.backends.ops.softmin import SoftMaximum


def soft_maximum(gamma):
    return SoftMaximum(torch.tensor(gamma, dtype=torch.float64), torch.device("cpu"))


def in_sequence(k, b, combine):
    """Return a (B,L), computed one entry after the other."""
    a, result = torch.full(k.shape[:1], -torch.inf, dtype=torch.float64), []
    for n in range(k.shape[1]):
        a = combine(k[:, n] + a, b[:, n])
        result.append(a)
    return torch.stack(result, -1)


def scanned(scan, lines):
    """Return a (K,B,L) of lines k, b (K,B,L)."""
    k, b = lines
    prepared, result = scan.prepare(k), torch.empty_like(b)
    for index in range(len(k)):
        scan.b.copy_(b[index])
        scan.solve(prepared, index, out=result[index])
    return result


@pytest.mark.parametrize("gamma", [0.0, 1.0])
@pytest.mark.parametrize("length", [1, 2, 3, 8, 13])
@pytest.mark.parametrize("gap", [False, True])
def test_log_scans_are_the_sequential_recursion(length, gamma, gap):
    generator = torch.Generator().manual_seed(length)
    k, b = torch.randn(2, 3, 4, length, generator=generator, dtype=torch.float64)
    k[:, 0, : length // 3] = b[:, 0, : length // 3] = -torch.inf  # closed in front
    b[:, 1, : length // 2] = -torch.inf  # open, but not reached
    k[:, 2, length - length // 3 :] = b[:, 2, length - length // 3 :] = -torch.inf
    if gap:
        k[:, 3, length // 2] = b[:, 3, length // 2] = -torch.inf
    softmax = soft_maximum(gamma)
    combine = torch.logaddexp if gamma else torch.maximum
    expected = torch.stack([in_sequence(*line, combine) for line in zip(k, b, strict=True)])
    for scan in (DoublingScan,) if gap else (DoublingScan, SummedScan):
        torch.testing.assert_close(scanned(scan(b[0], softmax), (k, b)), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_sums_lose_nothing_beside_entries_that_cost_far_more(gamma):
    """Sums of k alone reach 1e10, whose last digit is 2e-6."""
    generator = torch.Generator().manual_seed(0)
    k, b = -torch.rand(2, 1, 3, 400, generator=generator, dtype=torch.float64)
    dear = torch.rand(1, 3, 400, generator=generator) < 0.8
    k = torch.where(dear, 1e8 * k, k)
    b = torch.where(dear.roll(7, 2), 1e7 * b, b)
    combine = torch.logaddexp if gamma else torch.maximum
    result = scanned(SummedScan(b[0], soft_maximum(gamma)), (k, b))[0]
    expected = in_sequence(k[0], b[0], combine)
    torch.testing.assert_close(result, expected, rtol=1e-15, atol=40 * 400 * 2**-52)


@pytest.mark.parametrize("length", [1, 2, 3, 8, 13, 64, 200])
def test_affine_scan_is_the_sequential_recursion(length):
    generator = torch.Generator().manual_seed(length)
    q, s = torch.rand(2, 3, 2, length, generator=generator, dtype=torch.float64)
    q[:, 0, length // 2] = 0.0
    s[:, 1, length // 3 :] *= 1e-200
    scan = AffineScan(s[0])
    prepared, result = scan.prepare(q), s.new_empty((3, 2, scan.padded_length))
    for index in range(3):
        e, expected = torch.zeros(2, dtype=torch.float64), []
        for n in reversed(range(length)):
            e = q[index, :, n] * e + s[index, :, n]
            expected.append(e)
        scan.s.copy_(s[index])
        scan.solve(prepared, index, out=result[index])
        torch.testing.assert_close(
            result[index, :, :length], torch.stack(expected[::-1], -1), rtol=1e-13, atol=0
        )
    assert not result[..., length:].any()


@pytest.mark.parametrize("gamma", [0.0, 0.4])
def test_the_choice_on_a_device_is_that_on_the_host(gamma):
    device = torch.device("cpu")
    on_host = SoftMaximum(torch.tensor(gamma, dtype=torch.float64), device)
    on_device = SoftMaximum(torch.tensor(gamma, dtype=torch.float64), device)
    on_device._on_host = False
    z = torch.tensor(
        [[1.0, -math.inf, 2.0, 0.5], [1.0, -math.inf, 3.0, 0.5], [0.0, -math.inf, 3.0, -math.inf]],
        dtype=torch.float64,
    )
    assert torch.equal(on_host.combine(z[0], z[1]), on_device.combine(z[0], z[1]))
    assert torch.equal(on_host.probabilities(z), on_device.probabilities(z))
    T = torch.arange(4.0, dtype=torch.float64).expand(3, 4)
    assert torch.equal(*(each.accumulate(z, T, out=torch.empty_like(z)) for each in (on_host, on_device)))
    assert torch.equal(*(each.negligible(T) for each in (on_host, on_device)))
    expected = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(on_host.probabilities(z).sum(0), expected)


@pytest.mark.parametrize("gamma", [-1.0, math.inf, math.nan])
def test_a_bad_gamma_that_could_not_be_read_gives_nan(gamma):
    assert SoftMaximum(torch.tensor(gamma), torch.device("cpu")).scale.isnan()
