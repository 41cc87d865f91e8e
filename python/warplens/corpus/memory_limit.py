"""Whether there is room for what an item is about to become: a small file can ask for a huge alignment."""

from warplens.io import Item, ItemError
from warplens.io.arrays.container import amount


def check_room(needed: int, item: Item, size_limit: int | None) -> None:
    """See that the work on an item stays within the limit, before it begins.

    Args:
        needed: bytes, see `warplens.analysis.memory`.
        item: what is to be worked on.
        size_limit: bytes that the arrays of one item may take, None for any.

    Raises:
        ItemError: it does not.
    """
    if size_limit is not None and needed > size_limit:
        n_frames, n_targets = len(item.predictions), len(item.weak)
        raise ItemError(
            f"aligning {n_frames} frames with {n_targets} targets takes {amount(needed)} of memory: the "
            f"limit is {amount(size_limit)} an item (--size-limit); raise it, or cut the item in parts"
        )
