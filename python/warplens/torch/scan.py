"""Associative scans along the last axis, by doubling: log2(L) rounds of whole-tensor operations.

After the round with shift d, every entry stands for the run of up to 2d entries that ends (in
[`affine_scan_reversed`][warplens.torch.scan.affine_scan_reversed]: begins) at it.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def log_scan(k: Tensor, b: Tensor, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Solve a(n) = combine(k(n) + a(n-1), b(n)) with a(-1) = -inf.

    The pairs compose as (k1, b1) o (k2, b2) = (k1 + k2, combine(b1 + k2, b2)), which takes k = -inf:
    a forbidden entry cuts the run, and nothing is ever subtracted.

    Args:
        k: (..., L), finite or -inf.
        b: (..., L), finite or -inf.
        combine: `torch.logaddexp`, or `torch.maximum` for its limit.

    Returns:
        (..., L), the a(n).
    """
    length = b.shape[-1]
    shift = 1
    while shift < length:
        joined = combine(b[..., :-shift] + k[..., shift:], b[..., shift:])
        b = torch.cat([b[..., :shift], joined], dim=-1)
        k = torch.cat([k[..., :shift], k[..., :-shift] + k[..., shift:]], dim=-1)
        shift *= 2
    return b


def affine_scan_reversed(q: Tensor, s: Tensor) -> Tensor:
    """Solve e(n) = q(n) e(n+1) + s(n) with e(L) = 0, in the linear domain.

    The pairs compose as (q1, s1) o (q2, s2) = (q1 q2, s1 q2 + s2); with probabilities q in [0, 1] and s >= 0
    nothing cancels and nothing overflows.

    Args:
        q: (..., L).
        s: (..., L).

    Returns:
        (..., L), the e(n).
    """
    length = s.shape[-1]
    shift = 1
    while shift < length:
        joined = s[..., :-shift] + q[..., :-shift] * s[..., shift:]
        s = torch.cat([joined, s[..., -shift:]], dim=-1)
        q = torch.cat([q[..., :-shift] * q[..., shift:], q[..., -shift:]], dim=-1)
        shift *= 2
    return s
