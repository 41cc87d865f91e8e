"""Agreement between the processes of a distributed training."""

from typing import TypeVar

from torch import distributed

_T = TypeVar("_T")


def as_on_rank_0(value: _T) -> _T:
    """Return the value that rank 0 gives on every rank, its own where nothing is distributed.

    All ranks must call it.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return value
    values = [value]
    distributed.broadcast_object_list(values, src=0)
    return values[0]
