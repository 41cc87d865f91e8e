"""Memory of large gradients that is kept for the next step, while the system may take it back at any time.

The system clears a fresh page before its first write, which takes longer than the write itself, and large
arrays are given back to it as soon as they are dropped. A step of training drops the gradient of the step
before, so that its pages serve again. In between they are marked as free (`MADV_FREE`): still counted as
those of the process, they go to others as soon as memory is short, and nothing is written to disk.
"""

import mmap
import sys
import weakref
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_BYTES = 32 << 20
"""Smaller arrays are left to the allocator, which keeps memory of that size itself."""

_IS_SUPPORTED = sys.platform == "linux" and hasattr(mmap, "MADV_FREE") and hasattr(mmap, "MADV_HUGEPAGE")

# At most one; taken and given back in single operations, as a finalizer may run between any two lines.
_kept: deque[mmap.mmap] = deque(maxlen=1)


def empty_like(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of this shape and dtype, in C order, that may hold anything."""
    pages = _pages(array.nbytes) if _IS_SUPPORTED and array.nbytes >= LEAST_BYTES else None
    if pages is None:
        return np.empty(array.shape, array.dtype)
    # Every view has this one as its base, so that it goes last.
    whole: NDArray[Any] = np.frombuffer(pages, array.dtype, array.size)
    weakref.finalize(whole, _give_back, pages).atexit = False
    return whole.reshape(array.shape)


def _pages(size: int) -> mmap.mmap | None:
    """Take the kept pages, if they are as many and not more than twice as many, or ask for new ones."""
    try:
        pages = _kept.pop()  # too few or too many, they are given up
    except IndexError:
        pages = None
    if pages is not None and size <= len(pages) <= 2 * size:
        return pages
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        pages.madvise(mmap.MADV_HUGEPAGE)
    except OSError:
        return None
    return pages


def _give_back(pages: mmap.mmap) -> None:
    try:
        pages.madvise(mmap.MADV_FREE)
    except OSError:
        return
    _kept.append(pages)
