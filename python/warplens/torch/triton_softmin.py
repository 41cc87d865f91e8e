"""The softmin of the recursion inside Triton kernels, and the two scans along a line.

Accumulated numbers are float64. What is a function of a difference, log2(1 + 2^-d) and 2^-d, lies between 0
and 1 whatever the size of the costs, and float32 gives it to 6e-8 by one hardware instruction: so float64
serves there only for float64 inputs (the type TYPE of a kernel). Logarithms are to base 2, the base of the
hardware. Scans compose as in `warplens.torch.scan`; the hard limit gamma = 0 has a maximum in place of the
logarithm of a sum.
"""

import triton
import triton.language as tl


@triton.jit
def log2_add(a, b, TYPE: tl.constexpr):
    """log2(2^a + 2^b) for a, b finite or -inf; NaN if either is."""
    most = tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)
    least = tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)
    gap = tl.where(most == -float("inf"), 0.0, least - most).to(TYPE)
    return most + tl.log2(1.0 + tl.exp2(gap)).to(tl.float64)


@triton.jit
def add_or_maximum(a, b, is_soft, TYPE: tl.constexpr):
    """What the recursion does with two steps: log2_add, or the greater where gamma is 0."""
    return tl.where(
        is_soft, log2_add(a, b, TYPE), tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)
    )


@triton.jit
def _join_logs32(k1, b1, k2, b2):
    return k1 + k2, log2_add(b1 + k2, b2, tl.float32)


@triton.jit
def _join_logs64(k1, b1, k2, b2):
    return k1 + k2, log2_add(b1 + k2, b2, tl.float64)


@triton.jit
def _join_maxima(k1, b1, k2, b2):
    return k1 + k2, tl.maximum(b1 + k2, b2, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _join_affine(q1, s1, q2, s2):
    return q1 * q2, s1 * q2 + s2


@triton.jit
def log_scan(k, b, carry, is_soft, TYPE: tl.constexpr):
    """a(n) = log2(2^(k(n) + a(n-1)) + 2^b(n)) over a block, with the carry before it."""
    # The first entry takes the carry in, so the scan itself gives a.
    first = tl.arange(0, k.shape[0]) == 0
    b = tl.where(first, add_or_maximum(k + carry, b, is_soft, TYPE), b)
    if is_soft:
        if TYPE == tl.float32:
            _, a = tl.associative_scan((k, b), 0, _join_logs32)
        else:
            _, a = tl.associative_scan((k, b), 0, _join_logs64)
    else:
        _, a = tl.associative_scan((k, b), 0, _join_maxima)
    return a


@triton.jit
def affine_scan_reversed(q, s, carry):
    """e(n) = q(n) e(n+1) + s(n) over a block, with the carry after it."""
    last = tl.arange(0, q.shape[0]) == q.shape[0] - 1
    s = tl.where(last, s + q * carry, s)
    _, e = tl.associative_scan((q, s), 0, _join_affine, reverse=True)
    return e


@triton.jit
def step_probabilities(diagonal, along, across, is_soft, ALONG_FIRST: tl.constexpr, TYPE: tl.constexpr):
    """Probabilities of the three steps, with sum 1; all 0 where no step leads.

    In the hard limit the first of the greatest has it all: diagonal, then horizontal, which is `along` if
    ALONG_FIRST, then vertical.
    """
    most = tl.maximum(tl.maximum(diagonal, along), across)
    most = tl.where(most == -float("inf"), 0.0, most)
    soft_diagonal = tl.exp2((diagonal - most).to(TYPE)).to(tl.float64)
    soft_along = tl.exp2((along - most).to(TYPE)).to(tl.float64)
    soft_across = tl.exp2((across - most).to(TYPE)).to(tl.float64)
    hard_diagonal = diagonal == most
    if ALONG_FIRST:
        hard_along = (along == most) & ~hard_diagonal
        hard_across = (across == most) & ~hard_diagonal & ~hard_along
    else:
        hard_across = (across == most) & ~hard_diagonal
        hard_along = (along == most) & ~hard_diagonal & ~hard_across
    p_diagonal = tl.where(is_soft, soft_diagonal, hard_diagonal.to(tl.float64))
    p_along = tl.where(is_soft, soft_along, hard_along.to(tl.float64))
    p_across = tl.where(is_soft, soft_across, hard_across.to(tl.float64))
    total = p_diagonal + p_along + p_across
    share = 1.0 / tl.where(total == 0.0, 1.0, total)
    return p_diagonal * share, p_along * share, p_across * share


@triton.jit
def surprise(p, rest, TYPE: tl.constexpr):
    """-p log2 p, with rest = 1 - p: what p near 1 has lost of it."""
    near = (1.0 - rest).to(TYPE)  # rounded
    lost = rest.to(TYPE)
    # log(1 - r) = -r log(u) / (u - 1) with u = 1 - r as rounded, exact to the last digits.
    is_one = near == 1.0
    of_near = tl.log2(tl.where(is_one | (near <= 0.0), 0.5, near)) / tl.where(is_one, 1.0, 1.0 - near)
    of_near = tl.where(is_one, -1.4426950408889634, of_near) * lost
    narrow = p.to(TYPE)
    of_far = tl.log2(tl.where(narrow > 0.0, narrow, 1.0))
    return -p * tl.where(p > 0.5, of_near, of_far).to(tl.float64)
