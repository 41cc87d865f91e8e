"""The number of threads of a call."""

from __future__ import annotations

import numpy as np

from . import _core
from ._core import MOST_THREADS


def check_threads(threads: int | None) -> int | None:
    """Check for None or a whole number in range."""
    if threads is None:
        return None
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer):
        raise TypeError(
            f"threads: is {threads!r}; None or a whole number from 1 to {MOST_THREADS} is accepted"
        )
    if not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads: is {threads}; a whole number from 1 to {MOST_THREADS} is accepted")
    return int(threads)


def set_num_threads(n: int) -> None:
    """Set the number of threads of calls that do not name one.

    Without it `WARPLENS_NUM_THREADS` counts, then the cores that the process may use.

    Args:
        n: a whole number, 1 or more.
    """
    checked = check_threads(n)
    if checked is None:
        raise TypeError(f"n: is None; a whole number from 1 to {MOST_THREADS} is accepted")
    _core.set_num_threads(checked)


def get_num_threads() -> int:
    """Return the number of threads of calls that do not name one."""
    return _core.get_num_threads()
