"""Worker processes that run items one after the other, and are replaced when they die.

Each worker has a pipe of its own and always the next item at hand, so it never waits for the parent. It
answers in order: when it dies, the first item it had not answered is the one it died over, and that one
alone is to blame. A worker whose parent is gone finds its pipe closed and leaves.
"""

import contextlib
import multiprocessing
import os
import signal
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

    def __init__(self, processes: int) -> None:
        self._processes = processes
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
                ready = wait([worker.pipe for worker in self._workers])
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

    def _replace(self, worker: "_Worker") -> str:
        """Put another worker in the place of one that is dead; how it ended."""
        ending = worker.ending()
        if not worker.started:
            self._failed_starts += 1
            if self._failed_starts == _MOST_FAILED_STARTS:
                raise EngineError(f"worker processes die as they start ({ending}); {_HINT}")
        self._workers[self._workers.index(worker)] = _Worker.start()
        return ending


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

    @classmethod
    def start(cls) -> "_Worker":
        # A new interpreter, not a fork: the threads of the parent's kernels would not be in the copy.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _environment_of_workers():
            process.start()
        theirs.close()  # so that the pipe ends with the worker
        return cls(process, ours)

    def give(self, index: int, source: Source, work: Callable[[Source], Any]) -> None:
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
        if not self.started:
            self.started = True
            return _READY
        return message

    def kill(self) -> None:
        """Leave nothing of it."""
        self.pipe.close()
        self.process.kill()
        self.process.join()

    def ending(self) -> str:
        """How a worker ended that no longer answers, in words."""
        self.process.join(_SECONDS_TO_DIE)
        self.kill()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"{name}, perhaps for lack of memory" if -code == signal.SIGKILL else name


# NumPy takes as many threads as the environment says when it is imported; here processes are enough. And
# memory once taken is kept (glibc): giving the arrays of each item back and taking them anew costs as much as
# some of the work.
_ENVIRONMENT = {
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    **dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 23)),
}


@contextlib.contextmanager
def _environment_of_workers() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
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
