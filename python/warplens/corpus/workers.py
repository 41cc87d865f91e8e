"""Worker processes that run items one after the other, and are replaced when they die.

A worker (`worker`) always has the next item at hand, so it never waits for the parent. It answers in order:
when it dies, the first item it had not answered is the one it died over, and that one alone is to blame.

The parent counts the time of an item from the moment it knows the one before to be answered.
"""

import selectors
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from warplens.corpus.attempt import Answer, EngineError
from warplens.corpus.sources import Source
from warplens.corpus.worker import READY, Worker

R = TypeVar("R")

_GATHERING = 0.005
"""Seconds in which answers gather: to be woken for each takes longer than to handle it."""

_AHEAD = 32
"""Items a worker may be ahead of the one that is waited for: one slow item does not stop the others."""

_MOST_ATTEMPTS = 2
"""An item whose worker died, perhaps for a reason of its own, is given a second one."""

_MOST_FAILED_STARTS = 3


class Workers:
    """Some worker processes, from the first run until they are closed."""

    def __init__(self, processes: int, item_timeout: float | None = None) -> None:
        """Nothing is started yet.

        Args:
            processes: how many.
            item_timeout: seconds that one item may take, None for any number.
        """
        self._processes = processes
        self._timeout = item_timeout
        self._workers: list[Worker] = []
        self._pipes = selectors.PollSelector()
        self._failed_starts = 0

    def start(self, n_items: int) -> None:
        """Start as many as so many items take, if they are not there."""
        while len(self._workers) < min(self._processes, n_items):
            self._add(len(self._workers))

    def renew(self) -> None:
        """Others in the place of those there are, which have nothing to do."""
        count = len(self._workers)
        self.close()
        self.start(count)

    def run(self, sources: Sequence[Source], work: Callable[[Source], R]) -> Generator[Answer[R], None, None]:
        """The answer for every source, in order; see `engine.Engine.run`. One run at a time."""
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
                    while waiting and worker.wants_more() and waiting[0] < limit:
                        index = waiting.popleft()
                        worker.give(index, sources[index], work)
                if waiting:
                    time.sleep(_GATHERING)
                for worker in [key.data for key, _ in self._pipes.select(self._patience())]:
                    for message in worker.take():
                        if message is READY:
                            self._failed_starts = 0
                        elif message is not None:
                            answers[worker.items.popleft()] = message
                        else:
                            ending = self._replace(worker)
                            if worker.started and worker.items:
                                first = worker.items[0]
                                attempts[first] += 1
                                if attempts[first] == _MOST_ATTEMPTS:
                                    worker.items.popleft()
                                    reason = f"the process that ran it died ({ending})"
                                    answers[first] = Answer(reason=reason)
                            waiting.extendleft(reversed(worker.items))
                for worker in self._overdue():
                    self._end(worker)
                    self._put_another_for(worker)
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
                self.close()  # what they have at hand is not wanted any more

    def close(self) -> None:
        """End the processes, whatever they are at."""
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def _patience(self) -> float | None:
        """Seconds until the first item is overdue; None if none ever is."""
        if self._timeout is None:
            return None
        begun = [worker.begun for worker in self._workers if worker.is_at_work]
        return max(0.0, min(begun) + self._timeout - time.monotonic()) if begun else None

    def _overdue(self) -> list[Worker]:
        """Workers that take too long over an item."""
        if self._timeout is None:
            return []
        before = time.monotonic() - self._timeout
        return [worker for worker in self._workers if worker.is_at_work and worker.begun <= before]

    def _replace(self, worker: Worker) -> str:
        """Put another worker in the place of one that is dead; how it ended."""
        self._pipes.unregister(worker.pipe)
        ending = worker.ending()
        if not worker.started:
            self._failed_starts += 1
            if self._failed_starts == _MOST_FAILED_STARTS:
                raise EngineError(f"worker processes die as they start ({ending}); {_HINT}")
        self._put_another_for(worker)
        return ending

    def _end(self, worker: Worker) -> None:
        """Leave nothing of a worker, which may be gone already."""
        if not worker.pipe.closed:
            self._pipes.unregister(worker.pipe)
            worker.kill()

    def _put_another_for(self, worker: Worker) -> None:
        place = self._workers.index(worker)
        del self._workers[place]
        self._add(place)

    def _add(self, place: int) -> None:
        worker = Worker.start(self._workers)
        self._workers.insert(place, worker)
        self._pipes.register(worker.pipe, selectors.EVENT_READ, worker)


_HINT = (
    "a script that runs a corpus needs its own work under `if __name__ == '__main__':`, "
    "since every worker imports it; processes=1 needs no worker"
)
