"""The memory that the arrays of one item may take, checked before they are read."""

from warplens.io.errors import ItemError

DEFAULT_SIZE_LIMIT = 4 << 30
"""Bytes that the arrays of one item may take unless another limit is given."""


class Budget:
    """Bytes that the arrays of one item may still take; None is without limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._taken = 0

    def take(self, what: str, size: int) -> None:
        """Count an array before it is read.

        Raises:
            ItemError: with it the item would be larger than the limit.
        """
        self._taken += size
        if self._limit is not None and self._taken > self._limit:
            raise ItemError(
                f"'{what}' declares {format_bytes(size)}, so that the item would take "
                f"{format_bytes(self._taken)}: the limit is {format_bytes(self._limit)} an item "
                "(--size-limit)"
            )


def format_bytes(size: int) -> str:
    """Format a byte count: 12 bytes, 3.4 MiB, 5.6 GiB."""
    if size < 1 << 20:
        return f"{size} bytes"
    return f"{size / (1 << 20):.1f} MiB" if size < 1 << 30 else f"{size / (1 << 30):.1f} GiB"
