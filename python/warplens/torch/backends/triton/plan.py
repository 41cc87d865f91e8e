"""The plan by which a batch is cut for the Triton kernels, and its memory.

A segment is K lines of the shorter axis. On the way forward only the line between two segments is kept. On
the way back each segment runs forward once more from its line, now keeping step probabilities, and then
backward. So memory grows with L (S/K + 4K) and not with S L:

    rows            (R+3,B,1+L)   log2 a of the R+1 lines around R = S/K segments, and of two at work
    costs           (B,K,L)       of one segment, whose place its alignment H takes
    probabilities   (3,B,K,L)     of one segment
    flows           (2,2,B,1+L)   contributions of a line of E to the one before

all float64. Small batches take one segment and are not run twice.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

_BYTES = 8  # of a float64
_SEGMENT_CELLS = 4  # numbers a cell of a segment takes: its cost and three probabilities
_SEGMENT_BYTES = 2**23  # that a segment may always take
_LONGEST_BLOCK = 512  # one entry a thread; twice as many join no faster than two blocks one after the other
_WARP = 32
_REGISTERS = 128  # of a thread: the longest block leaves it so many; told so, the assembler spills none


@dataclass(frozen=True)
class Plan:
    """Sizes of a sweep over B pairs with S lines of L entries."""

    pairs: int
    lines: int
    length: int
    segment: int  # lines in one, K
    block: int  # entries of a line that are scanned at once, a power of 2

    @property
    def segments(self) -> int:
        """The number of segments, R."""
        return -(-self.lines // self.segment)

    @property
    def warps(self) -> int:
        """Warps per program."""
        return max(1, self.block // _WARP)

    @property
    def options(self) -> dict[str, int]:
        """Launch options of a kernel; with one stage no load overtakes the store it waits for."""
        return {"num_warps": self.warps, "num_stages": 1, "maxnreg": _REGISTERS}

    @property
    def row_shape(self) -> tuple[int, int, int]:
        """Shape of `rows`."""
        return self.segments + 3, self.pairs, self.length + 1

    @property
    def flow_shape(self) -> tuple[int, int, int, int]:
        """Shape of `flows`."""
        return 2, 2, self.pairs, self.length + 1

    def bounds(self) -> Iterator[tuple[int, int]]:
        """Yield the first line of each segment and the number of its lines."""
        for first in range(0, self.lines, self.segment):
            yield first, min(self.segment, self.lines - first)

    def bytes(self) -> int:
        """Return the memory of a sweep forward and back, without that of the sequences or matrices."""
        cells = self.pairs * self.segment * self.length
        return _BYTES * (math.prod(self.row_shape) + math.prod(self.flow_shape) + _SEGMENT_CELLS * cells)


def plan(
    pairs: int, lines: int, length: int, *, segment: int | None = None, block: int | None = None
) -> Plan:
    """Return a plan for B pairs whose shorter side is S = `lines` and whose longer is L = `length`.

    Args:
        pairs: B.
        lines: S.
        length: L.
        segment: lines in a segment; None: as few launches as little memory allows.
        block: entries scanned at once, a power of 2; None: the whole line, from 32 to 512.
    """
    if segment is None:
        least = math.ceil(math.sqrt(lines / _SEGMENT_CELLS))  # then rows and segment take the same
        segment = max(least, _SEGMENT_BYTES // (_SEGMENT_CELLS * _BYTES * pairs * length))
    if block is None:
        block = min(_LONGEST_BLOCK, max(_WARP, 2 ** math.ceil(math.log2(length))))
    return Plan(pairs, lines, length, min(lines, max(1, segment)), block)
