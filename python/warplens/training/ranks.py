"""One answer for all processes of a distributed training."""

from typing import TypeVar

from torch import distributed

_T = TypeVar("_T")


def as_on_rank_0(value: _T) -> _T:
    """The value that rank 0 gives, on every rank: all must call it. Its own where nothing is distributed."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return value
    told = [value]
    distributed.broadcast_object_list(told, src=0)
    return told[0]
