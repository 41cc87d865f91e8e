"""The forward kernel: some lines of the recursion, one program a pair.

A line is one index of the shorter axis; along it the recursion is scanned, in blocks, each of which takes in
the last entry of the one before. Where it is, in the order of the longer axis, is `position`:

    a(n) = log2 sum over steps of 2^(k_s(n) + a of where the step came from),  k_s = -w_s C log2(e)/gamma

Letters: B pairs, L the longer padded side, K lines in a segment. A line is stored with its border in front,
so entry n of a row is a(n-1).
"""

import triton
import triton.language as tl

from warplens.torch.backends.triton.device_functions import (
    add_or_maximum,
    log2_rate,
    log_scan,
    step_probabilities,
)


@triton.jit(
    do_not_specialize=["first", "count", "length", "entering_row", "leaving_row", "spare_row", "pairs"]
)
def accumulate_lines(
    costs,  # (B,count,L) float64, +inf forbids
    rows,  # (R,B,1+L) float64: log2 a of lines, a border in front of each
    probabilities,  # (3,B,count,L) float64, written if KEEP: diagonal, along, across
    log_ends,  # (B,) float64, log2 a of the last cell, written when its line comes
    rates,  # (4,) float64: w log2(e)/gamma of diagonal, along, across; then whether gamma > 0
    ends,  # (2,B) int64: last line and last position of each pair; below 0 a pair that has none
    first,  # index of the first of these lines
    count,  # how many there are
    length,  # L
    pairs,  # B
    entering_row,  # of `rows`: the line before the first
    leaving_row,  # the last of these
    spare_row,  # and two for those between
    KEEP: tl.constexpr,
    ALONG_FIRST: tl.constexpr,
    TYPE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Compute log-sums of `count` lines, and their step probabilities if kept."""
    pair = tl.program_id(0).to(tl.int64)
    rate_diagonal = tl.load(rates)
    rate_along = tl.load(rates + 1)
    rate_across = tl.load(rates + 2)
    is_soft = tl.load(rates + 3) != 0.0
    last_line = tl.load(ends + pair)
    last_position = tl.load(ends + pairs + pair)
    row_size = pairs.to(tl.int64) * (length + 1)
    cells = pairs.to(tl.int64) * count * length
    rows += pair * (length + 1)
    for j in range(count):
        source = tl.where(j == 0, entering_row, spare_row + (j + 1) % 2)
        target = tl.where(j == count - 1, leaving_row, spare_row + j % 2)
        before = rows + source * row_size
        now = rows + target * row_size
        line = (pair * count + j) * length
        for start in range(0, length, BLOCK):
            position = start + tl.arange(0, BLOCK)
            within = position < length
            C = tl.load(
                costs + line + position,
                mask=within & (position <= last_position) & (first + j <= last_line),
                other=float("inf"),
            )
            k_along = log2_rate(rate_along, C)
            diagonal = log2_rate(rate_diagonal, C) + tl.load(before + position, mask=within, other=0.0)
            across = log2_rate(rate_across, C) + tl.load(before + position + 1, mask=within, other=0.0)
            arriving = add_or_maximum(across, diagonal, is_soft, TYPE)
            a = log_scan(k_along, arriving, tl.load(now + start), is_soft, TYPE)
            tl.store(now + position + 1, a, mask=within)
            # Threads read what others stored: at once, in the next block and in the next line. Rows
            # take turns, so that none is written while a slower thread still reads it.
            tl.debug_barrier()
            if KEEP:
                along = k_along + tl.load(now + position, mask=within, other=0.0)
                p_diagonal, p_along, p_across = step_probabilities(
                    diagonal, along, across, is_soft, ALONG_FIRST, TYPE
                )
                tl.store(probabilities + line + position, p_diagonal, mask=within)
                tl.store(probabilities + cells + line + position, p_along, mask=within)
                tl.store(probabilities + 2 * cells + line + position, p_across, mask=within)
        if first + j == last_line:
            tl.store(log_ends + pair, tl.load(now + last_position + 1))
