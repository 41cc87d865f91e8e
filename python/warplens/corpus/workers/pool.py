"""A pool of worker processes, which are replaced when they die or take too long.

A worker (`process`) always has the next item at hand, so it never waits for the parent. It answers in order:
when it dies, the first item it had not answered is the one it died over, and that one alone is to blame.

The parent counts the time of an item from the moment it receives the answer for the one before.

No library's pool does this: in that of `concurrent.futures` a worker that dies ends all, and no item has a
time limit; in that of `pebble` a worker that dies between two items ends all, others are forked beside
threads, and an item takes a quarter more time.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import wait
from typing import TypeVar

from warplens.corpus.inputs.source import Source
from warplens.corpus.workers.attempt import Answer, EngineError
from warplens.corpus.workers.process import READY, Worker

R = TypeVar("R")

_AHEAD = 32
"""Items a worker may be ahead of the first unanswered one: one slow item does not stop the others."""

_MOST_ATTEMPTS = 2
"""An item whose worker died, perhaps for a reason of its own, is given a second one."""

_MOST_FAILED_STARTS = 3


class Workers:
    """A pool of worker processes, from the first run until it is closed."""

    def __init__(self, processes: int, item_timeout: float | None = None) -> None:
        """Set the pool up; nothing is started yet.

        Args:
            processes: how many workers.
            item_timeout: seconds that one item may take, None for any number.
        """
        self._processes = processes
        self._timeout = item_timeout
        self._workers: list[Worker] = []
        self._failed_starts = 0

    def start(self, n_items: int) -> None:
        """Start as many workers as so many items take, unless they run already."""
        while len(self._workers) < min(self._processes, n_items):
            self._workers.append(Worker.start(self._workers))

    def run(self, sources: Sequence[Source], work: Callable[[Source], R]) -> Generator[Answer[R], None, None]:
        """Yield the answer for every source, in order; see `engine.Engine.run`. One run at a time."""
        waiting = deque(range(len(sources)))
        attempts = [0] * len(sources)
        answers: dict[int, Answer[R]] = {}
        self.start(len(sources))
        yielded = 0
        finished = False
        try:
            while yielded < len(sources):
                limit = yielded + self._processes * _AHEAD
                for worker in self._workers:
                    while waiting and worker.wants_more and waiting[0] < limit:
                        index = waiting.popleft()
                        worker.give(index, sources[index], work)
                for worker in self._wait():
                    message = worker.receive()
                    if message is READY:
                        self._failed_starts = 0
                    elif message is not None:
                        answers[worker.items.popleft()] = message
                    else:
                        cause = self._replace_dead(worker)
                        if worker.started and worker.items:
                            first = worker.items[0]
                            attempts[first] += 1
                            if attempts[first] == _MOST_ATTEMPTS:
                                worker.items.popleft()
                                answers[first] = Answer(reason=f"the process that ran it died ({cause})")
                        waiting.extendleft(reversed(worker.items))
                for worker in self._overdue():
                    worker.kill()
                    self._replace(worker)
                    answers[worker.items.popleft()] = Answer(
                        reason=f"not done within {self._timeout:g} s (--item-timeout)"
                    )
                    waiting.extendleft(reversed(worker.items))
                while yielded in answers:
                    yield answers.pop(yielded)
                    yielded += 1
            finished = True
        finally:
            if not finished:
                self.close()  # answers for the items at hand are not wanted any more

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def _wait(self) -> list[Worker]:
        """Wait for messages, at most until an item is overdue, and return the workers that have one."""
        ready = set(wait([worker.pipe for worker in self._workers], self._seconds_left()))
        return [worker for worker in self._workers if worker.pipe in ready]

    def _seconds_left(self) -> float | None:
        """Return the seconds until the first item is overdue, None if none ever is."""
        if self._timeout is None:
            return None
        begun = [worker.begun for worker in self._workers if worker.is_busy]
        return max(0.0, min(begun) + self._timeout - time.monotonic()) if begun else None

    def _overdue(self) -> list[Worker]:
        """Return the workers that take too long over an item."""
        if self._timeout is None:
            return []
        before = time.monotonic() - self._timeout
        return [worker for worker in self._workers if worker.is_busy and worker.begun <= before]

    def _replace_dead(self, worker: Worker) -> str:
        """Replace a dead worker and return how it ended."""
        cause = worker.cause_of_death()
        if not worker.started:
            self._failed_starts += 1
            if self._failed_starts == _MOST_FAILED_STARTS:
                raise EngineError(f"worker processes die as they start ({cause}); {_HINT}")
        self._replace(worker)
        return cause

    def _replace(self, worker: Worker) -> None:
        """Put a new worker in the place of one that is gone."""
        place = self._workers.index(worker)
        del self._workers[place]
        self._workers.insert(place, Worker.start(self._workers))


_HINT = (
    "a script that runs a corpus needs its own work under `if __name__ == '__main__':`, "
    "since every worker imports it; processes=1 needs no worker"
)
