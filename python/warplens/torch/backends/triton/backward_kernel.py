"""The backward kernel: visits, alignment and moments of some lines, one program a pair.

From the step probabilities that the forward kernel kept, the probability E of visiting a cell goes back line
by line. Along a line it is an affine scan in the linear domain, from the last position to the first:

    E(n,m) = p_along(n+1,m) E(n+1,m) + [p_across(n,m+1) E(n,m+1) + p_diagonal(n+1,m+1) E(n+1,m+1)]

The contributions of a line to the one before, p_across E and p_diagonal E, go through memory, because the
diagonal part is wanted one position further on.
"""

import triton
import triton.language as tl

from warplens.torch.backends.triton.device_functions import NOTHING, affine_scan_reversed, surprise

_NOTHING = tl.constexpr(NOTHING)


@triton.jit(do_not_specialize=["first", "count", "length", "pairs"])
def visit_lines(
    costs,  # (B,count,L) float64; H takes their place
    probabilities,  # (3,B,count,L) float64: diagonal, along, across
    visits,  # (B,count,L) float64, E, written if VISITS
    flows,  # (2,2,B,L+1) float64: by parity of the line; across and diagonal; the last entry stays 0
    moments,  # (B,4) float64, written if MOMENTS: sums of C E p by step, entropy in bits
    log_ends,  # (B,) float64, log2 a of the last cell
    weights,  # (3,) float64 of diagonal, along, across
    ends,  # (2,B) int64: last line and last position of each pair
    first,  # index of the first of these lines
    count,  # how many there are
    length,  # L
    pairs,  # B
    MOMENTS: tl.constexpr,
    VISITS: tl.constexpr,
    TYPE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Compute E and H from the last of `count` lines to the first, and the moments of these lines."""
    pair = tl.program_id(0).to(tl.int64)
    weight_diagonal = tl.load(weights)
    weight_along = tl.load(weights + 1)
    weight_across = tl.load(weights + 2)
    last_line = tl.load(ends + pair)
    last_position = tl.load(ends + pairs + pair)
    log_end = tl.load(log_ends + pair)
    last_line = tl.where(log_end <= 0.5 * _NOTHING, -1, last_line)  # no path, no visits
    poison = tl.where(log_end == log_end, 0.0, log_end)  # NaN or 0
    cells = pairs.to(tl.int64) * count * length
    flow_size = pairs.to(tl.int64) * (length + 1)
    flows += pair * (length + 1)
    of_diagonal = tl.zeros([BLOCK], tl.float64)
    of_along = tl.zeros([BLOCK], tl.float64)
    of_across = tl.zeros([BLOCK], tl.float64)
    entropy = tl.zeros([BLOCK], tl.float64)
    blocks = tl.cdiv(length, BLOCK)
    for i in range(count):
        j = count - 1 - i
        line = (pair * count + j) * length
        # Two sets of flows take turns, so that none is written while a slower thread still reads it.
        entering = flows + 2 * ((first + j + 1) % 2) * flow_size
        leaving = flows + 2 * ((first + j) % 2) * flow_size
        E_after = tl.full((), 0.0, tl.float64)
        for block in range(blocks):
            start = (blocks - 1 - block) * BLOCK
            position = start + tl.arange(0, BLOCK)
            within = position < length
            cell = line + position
            p_diagonal = tl.load(probabilities + cell, mask=within, other=0.0)
            p_along = tl.load(probabilities + cells + cell, mask=within, other=0.0)
            p_across = tl.load(probabilities + 2 * cells + cell, mask=within, other=0.0)
            p_along_next = tl.load(probabilities + cells + cell + 1, mask=position + 1 < length, other=0.0)
            arriving = tl.load(entering + position, mask=within, other=0.0)
            arriving += tl.load(entering + flow_size + position + 1, mask=within, other=0.0)
            is_end = (position == last_position) & (first + j == last_line)
            arriving = tl.where(is_end, 1.0, arriving)
            E = affine_scan_reversed(p_along_next, arriving, E_after)
            if start > 0:
                E_after = tl.sum(tl.where(position == start, E, 0.0), 0)
            tl.store(leaving + position, p_across * E, mask=within)
            tl.store(leaving + flow_size + position, p_diagonal * E, mask=within)
            C = tl.load(
                costs + cell,
                mask=within & (position <= last_position) & (first + j <= last_line),
                other=float("inf"),
            )
            is_allowed = C != float("inf")
            # All of a pair is NaN when its value is, not only what lies before the first NaN.
            E = tl.where(is_allowed, E + poison, 0.0)
            H = E * (weight_diagonal * p_diagonal + weight_along * p_along + weight_across * p_across)
            # Where nothing is allowed, the probabilities of a pair with NaN are NaN too.
            tl.store(costs + cell, tl.where(is_allowed, H, 0.0), mask=within)
            if VISITS:
                tl.store(visits + cell, E, mask=within)
            if MOMENTS:
                CE = tl.where(is_allowed, C, 0.0) * E
                of_diagonal += CE * p_diagonal
                of_along += CE * p_along
                of_across += CE * p_across
                surprises = surprise(p_diagonal, p_along + p_across, TYPE)
                surprises += surprise(p_along, p_diagonal + p_across, TYPE)
                surprises += surprise(p_across, p_diagonal + p_along, TYPE)
                entropy += E * surprises
        tl.debug_barrier()
    if MOMENTS:
        tl.store(moments + 4 * pair, tl.sum(of_diagonal, 0))
        tl.store(moments + 4 * pair + 1, tl.sum(of_along, 0))
        tl.store(moments + 4 * pair + 2, tl.sum(of_across, 0))
        tl.store(moments + 4 * pair + 3, tl.sum(entropy, 0))
