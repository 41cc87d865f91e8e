"""Parts of a corpus for several runs, side by side and perhaps on different machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from warplens.corpus.inputs.source import Source


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, from 1.

    The parts of one list have no item in common and are all of it; their sizes differ by one at most.

    Attributes:
        index: number of this part, 1 to `count`.
        count: how many parts there are.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a shard, such as "2/8".

        Raises:
            ValueError: it is not i/n with 1 <= i <= n.
        """
        index, slash, count = text.partition("/")
        if not (slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
            raise ValueError(f"shard: '{text}', it must be i/n with 1 <= i <= n, such as 2/8")
        return cls(int(index), int(count))

    def of(self, sources: Sequence[Source]) -> list[Source]:
        """Return this part of the items."""
        # Every n-th: neighbours are often of one length or one recording, which this spreads evenly.
        return list(sources[self.index - 1 :: self.count])
