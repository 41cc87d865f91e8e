"""The softmin of the recursion inside Triton kernels, and the two scans along a line.

Accumulated numbers are float64. What is a function of a difference, log2(1 + 2^-d) and 2^-d, lies between 0
and 1 whatever the size of the costs, and float32 gives it to 2e-7: so float64 serves there only for float64
inputs (the type TYPE of a kernel). Logarithms are to base 2, the base of the hardware, and that of nothing is
a finite NOTHING, so that differences need no special case. Scans compose as in `backends.ops.log_scan`; the
hard limit gamma = 0 has a maximum in place of the logarithm of a sum.

A scan of 512 entries is a chain of 21 of the joins below (5 within a warp, then one for each of 16 warps), so
what counts is their latency.
"""

import triton
import triton.language as tl

NOTHING = -1e300
"""log2 of 0; a path's log2 is above half of it."""
_NOTHING = tl.constexpr(NOTHING)


@triton.jit
def log2_of_one_plus(e):
    """Return log2(1 + e), e in [0, 1] float32: e times a polynomial of least greatest error, to 2e-7."""
    e2 = e * e
    e4 = e2 * e2
    # By halves (Estrin): a chain of 5 rather than of 9.
    low = (1.44269407 - 0.721305598 * e) + (0.480268365 - 0.355951504 * e) * e2
    high = (0.26790544 - 0.183090114 * e) + (0.0982247551 - 0.0344157767 * e) * e2
    return e * (low + (high + 0.00567036826 * e4) * e4)


@triton.jit
def log2_add(a, b, TYPE: tl.constexpr):
    """Return log2(2^a + 2^b); NaN if either is."""
    e = tl.exp2((-tl.abs(a - b)).to(TYPE))
    if TYPE == tl.float32:
        return tl.maximum(a, b) + log2_of_one_plus(e).to(tl.float64)
    else:
        return tl.maximum(a, b) + tl.log2(1.0 + e)


@triton.jit
def maximum(a, b):
    """Return the greater; NaN if either is."""
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def add_or_maximum(a, b, is_soft, TYPE: tl.constexpr):
    """Combine two steps as the recursion does: log2_add, or the greater where gamma is 0."""
    return tl.where(is_soft, log2_add(a, b, TYPE), maximum(a, b))


@triton.jit
def log2_rate(rate, C):
    """Return -rate C, and NOTHING where C = +inf or the product is beyond it."""
    return tl.where(C == float("inf"), _NOTHING, maximum(-rate * C, _NOTHING))


@triton.jit
def _join_logs32(k1, b1, k2, b2):
    return k1 + k2, log2_add(b1 + k2, b2, tl.float32)


@triton.jit
def _join_logs64(k1, b1, k2, b2):
    return k1 + k2, log2_add(b1 + k2, b2, tl.float64)


@triton.jit
def _join_maxima(k1, b1, k2, b2):
    return k1 + k2, maximum(b1 + k2, b2)


@triton.jit
def _join_affine(q1, s1, q2, s2):
    return q1 * q2, s1 * q2 + s2


@triton.jit
def log_scan(k, b, carry, is_soft, TYPE: tl.constexpr):
    """Return a(n) = log2(2^(k(n) + a(n-1)) + 2^b(n)) over a block, with the carry before it."""
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
    """Return e(n) = q(n) e(n+1) + s(n) over a block, with the carry after it."""
    last = tl.arange(0, q.shape[0]) == q.shape[0] - 1
    s = tl.where(last, s + q * carry, s)
    _, e = tl.associative_scan((q, s), 0, _join_affine, reverse=True)
    return e


@triton.jit
def step_probabilities(diagonal, along, across, is_soft, ALONG_FIRST: tl.constexpr, TYPE: tl.constexpr):
    """Return the probabilities of the three steps into a cell, with sum 1; any numbers where none does.

    In the hard limit the first of the greatest has it all: diagonal, then horizontal, which is `along` if
    ALONG_FIRST, then vertical.
    """
    most = maximum(maximum(diagonal, along), across)
    if is_soft:
        p_diagonal = tl.exp2((diagonal - most).to(TYPE)).to(tl.float64)
        p_along = tl.exp2((along - most).to(TYPE)).to(tl.float64)
        p_across = tl.exp2((across - most).to(TYPE)).to(tl.float64)
        share = 1.0 / (p_diagonal + p_along + p_across)
        p_diagonal *= share
        p_along *= share
        p_across *= share
    else:
        p_diagonal = (diagonal == most).to(tl.float64)
        if ALONG_FIRST:
            p_along = (along == most).to(tl.float64) * (1.0 - p_diagonal)
            p_across = 1.0 - p_diagonal - p_along
        else:
            p_across = (across == most).to(tl.float64) * (1.0 - p_diagonal)
            p_along = 1.0 - p_diagonal - p_across
    return p_diagonal, p_along, p_across


@triton.jit
def surprise(p, rest, TYPE: tl.constexpr):
    """Return -p log2 p, with rest = 1 - p, whose digits a p near 1 has lost."""
    near = (1.0 - rest).to(TYPE)  # rounded
    lost = rest.to(TYPE)
    # log(1 - r) = -r log(u) / (u - 1) with u = 1 - r as rounded, exact to the last digits.
    is_one = near == 1.0
    of_near = tl.log2(tl.where(is_one | (near <= 0.0), 0.5, near)) / tl.where(is_one, 1.0, 1.0 - near)
    of_near = tl.where(is_one, -1.4426950408889634, of_near) * lost
    narrow = p.to(TYPE)
    of_far = tl.log2(tl.where(narrow > 0.0, narrow, 1.0))
    return -p * tl.where(p > 0.5, of_near, of_far).to(tl.float64)
