"""Worker processes that run items one after the other, and are replaced when they die.

Each worker has a pipe of its own and always the next item at hand, so it never waits for the parent. It
answers in order: when it dies, the first item it had not answered is the one it died over, and that one
alone is to blame. A worker whose parent is gone finds its pipe closed and leaves.

The parent counts the time of an item from the moment it knows the one before to be answered.
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import warplens as wl
from warplens.corpus.attempt import Answer, EngineError, attempt
from warplens.corpus.sources import Source

R = TypeVar("R")

_AT_HAND = 2
"""Items a worker has been given: the one in work and the next."""

_AHEAD = 32
"""Items a worker may be ahead of the one that is waited for: one slow item does not stop the others."""

_MOST_ATTEMPTS = 2
"""An item whose worker died, perhaps for a reason of its own, is given a second one."""

_MOST_FAILED_STARTS = 3

_SECONDS_TO_DIE = 5
"""A pipe closes a little before its process is gone, and tells how it went."""


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
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def run(self, sources: Sequence[Source], work: Callable[[Source], R]) -> Generator[Answer[R], None, None]:
        """The answer for every source, in order; see `engine.Engine.run`. One run at a time."""
        waiting = deque(range(len(sources)))
        attempts = [0] * len(sources)
        answers: dict[int, Answer[R]] = {}
        while len(self._workers) < min(self._processes, len(sources)):
            self._workers.append(_Worker.start())
        yielded = 0
        finished = False
        try:
            while yielded < len(sources):
                limit = yielded + self._processes * _AHEAD
                for worker in self._workers:
                    while waiting and len(worker.items) < _AT_HAND and waiting[0] < limit:
                        index = waiting.popleft()
                        worker.give(index, sources[index], work)
                ready = wait([worker.pipe for worker in self._workers], self._patience())
                for worker in [worker for worker in self._workers if worker.pipe in ready]:
                    message = worker.take()
                    if message is _READY:
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
                                answers[first] = Answer(reason=f"the process that ran it died ({ending})")
                        waiting.extendleft(reversed(worker.items))
                for worker in self._overdue():
                    worker.kill()
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
            worker.kill()
        self._workers.clear()

    def _patience(self) -> float | None:
        """Seconds until the first item is overdue; None if none ever is."""
        if self._timeout is None:
            return None
        begun = [worker.begun for worker in self._workers if worker.is_at_work]
        return max(0.0, min(begun) + self._timeout - time.monotonic()) if begun else None

    def _overdue(self) -> list["_Worker"]:
        """Workers that take too long over an item."""
        if self._timeout is None:
            return []
        before = time.monotonic() - self._timeout
        return [worker for worker in self._workers if worker.is_at_work and worker.begun <= before]

    def _replace(self, worker: "_Worker") -> str:
        """Put another worker in the place of one that is dead; how it ended."""
        ending = worker.ending()
        if not worker.started:
            self._failed_starts += 1
            if self._failed_starts == _MOST_FAILED_STARTS:
                raise EngineError(f"worker processes die as they start ({ending}); {_HINT}")
        self._put_another_for(worker)
        return ending

    def _put_another_for(self, worker: "_Worker") -> None:
        self._workers[self._workers.index(worker)] = _Worker.start()


_HINT = (
    "a script that runs a corpus needs its own work under `if __name__ == '__main__':`, "
    "since every worker imports it; processes=1 needs no worker"
)

_READY = object()


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: "Connection[Any, Any]"
    items: deque[int] = field(default_factory=deque)
    work: Callable[[Source], Any] | None = None
    started: bool = False
    begun: float = 0.0

    @property
    def is_at_work(self) -> bool:
        return self.started and bool(self.items)

    @classmethod
    def start(cls) -> "_Worker":
        # A new interpreter, not a fork: the threads of the parent's kernels would not be in the copy.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _one_thread_each():
            process.start()
        theirs.close()  # so that the pipe ends with the worker
        return cls(process, ours)

    def give(self, index: int, source: Source, work: Callable[[Source], Any]) -> None:
        if not self.items:
            self.begun = time.monotonic()
        self.items.append(index)
        with contextlib.suppress(OSError):  # a dead worker shows when its answer is taken
            # The work crosses once.
            self.pipe.send((source, None if work is self.work else work))
        self.work = work

    def take(self) -> Any:
        """Its next message, None when it is dead."""
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):
            return None
        self.begun = time.monotonic()
        if not self.started:
            self.started = True
            return _READY
        return message

    def kill(self) -> None:
        """Leave nothing of it."""
        self.pipe.close()
        self.process.kill()
        self.process.join(_SECONDS_TO_DIE)  # one that waits for a dead disk may outlive even that

    def ending(self) -> str:
        """How a worker ended that no longer answers, in words."""
        self.process.join(_SECONDS_TO_DIE)
        self.kill()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"{name}, perhaps for lack of memory" if -code == signal.SIGKILL else name


_THREAD_COUNTS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """NumPy takes as many threads as the environment says when it is imported; here processes are enough."""
    before = {name: os.environ.get(name) for name in _THREAD_COUNTS}
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: "Connection[Any, Any]") -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends its workers
    wl.set_num_threads(1)
    work: Any = None
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            source, new_work = pipe.recv()
            work = work if new_work is None else new_work
            pipe.send(attempt(work, source))
