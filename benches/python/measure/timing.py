"""Seconds of calls that alternate in rounds: short calls are repeated, slow calls run less often."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LEAST_SECONDS = 0.05
"""Shorter calls are repeated, and a measurement is their mean."""
MOST_REPEATS = 200
SETTLE_SECONDS = 0.01
"""A pause before each call: idle threads of the library before may spin for a while until they sleep."""
ROUNDS_OF_SLOW_CALLS = [(8.0, 1), (2.0, 2), (0.8, 3)]
"""(seconds, rounds): calls that take longer than `seconds` run in only so many rounds."""


@dataclass(frozen=True)
class Spread:
    """Median, least and most over rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Return the spread of one value or more."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Runner:
    """A call, how often it runs, and the seconds of each measurement."""

    call: Callable[..., Any]
    make: Callable[[], tuple[Any, ...]]
    repeats: int
    rounds: int
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def of(
        cls, call: Callable[..., Any], rounds: int, make: Callable[[], tuple[Any, ...]] = tuple
    ) -> "Runner":
        """Run the call twice and plan by the time that it takes.

        Args:
            call: what is timed.
            rounds: how often it is measured, if it is not slow.
            make: makes the arguments of each call, outside the time.
        """
        call(*make())
        seconds = _seconds(call, make, 1)
        few = next((few for limit, few in ROUNDS_OF_SLOW_CALLS if seconds > limit), rounds)
        repeats = min(MOST_REPEATS, max(1, round(LEAST_SECONDS / seconds)))
        return cls(call, make, repeats, min(few, rounds))

    def measure(self) -> float:
        """Return the mean seconds of a call in one round, and keep them."""
        time.sleep(SETTLE_SECONDS)
        if self.repeats > 1:
            self.call(*self.make())  # brings its data back into the caches
        self.seconds.append(_seconds(self.call, self.make, self.repeats))
        return self.seconds[-1]


def _seconds(call: Callable[..., Any], make: Callable[[], tuple[Any, ...]], repeats: int) -> float:
    gc.collect()
    gc.disable()
    total = 0.0
    for _ in range(repeats):
        arguments = make()
        start = time.perf_counter()
        call(*arguments)
        total += time.perf_counter() - start
    gc.enable()
    return total / repeats
