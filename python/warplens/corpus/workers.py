"""Worker processes that run items one after the other, and are replaced when they die.

Each worker has a pipe of its own and always the next item at hand, so it never waits for the parent. It
answers in order: when it dies, the first item it had not answered is the one it died over, and that one
alone is to blame. A worker whose parent is gone finds its pipe closed and leaves.
"""

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
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


def run_in_workers(
    sources: Sequence[Source], work: Callable[[Source], R], processes: int
) -> Generator[Answer[R], None, None]:
    """The answer for every source, in order; see `engine.run_items`."""
    waiting = deque(range(len(sources)))
    attempts = [0] * len(sources)
    answers: dict[int, Answer[R]] = {}
    workers = [_Worker.start(work) for _ in range(min(processes, len(sources)))]
    failed_starts = 0
    yielded = 0
    try:
        while yielded < len(sources):
            for worker in workers:
                while waiting and len(worker.items) < _AT_HAND and waiting[0] < yielded + processes * _AHEAD:
                    worker.give(waiting.popleft(), sources)
            ready = wait([worker.pipe for worker in workers])
            for place, worker in enumerate(workers):
                if worker.pipe not in ready:
                    continue
                message = worker.take()
                if message is _READY:
                    failed_starts = 0
                elif message is not None:
                    answers[worker.items.popleft()] = message
                else:
                    ending = worker.ending()
                    if not worker.started:
                        failed_starts += 1
                        if failed_starts == _MOST_FAILED_STARTS:
                            raise EngineError(f"worker processes die as they start ({ending}); {_HINT}")
                    elif worker.items:
                        first = worker.items[0]
                        attempts[first] += 1
                        if attempts[first] == _MOST_ATTEMPTS:
                            worker.items.popleft()
                            answers[first] = Answer(reason=f"the process that ran it died ({ending})")
                    waiting.extendleft(reversed(worker.items))
                    workers[place] = _Worker.start(work)
            while yielded in answers:
                yield answers.pop(yielded)
                yielded += 1
    finally:
        for worker in workers:
            worker.kill()


_HINT = (
    "a script that runs a corpus needs its own work under `if __name__ == '__main__':`, "
    "since every worker imports it; processes=1 needs no worker"
)

_READY = object()


@dataclass
class _Worker:
    process: BaseProcess
    pipe: "Connection[Any, Any]"
    items: deque[int] = field(default_factory=deque)
    started: bool = False

    @classmethod
    def start(cls, work: Callable[[Source], Any]) -> "_Worker":
        # A new interpreter, not a fork: the threads of the parent's kernels would not be in the copy.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends with the worker
        return cls(process, ours)

    def give(self, index: int, sources: Sequence[Source]) -> None:
        self.items.append(index)
        with contextlib.suppress(OSError):  # a dead worker shows when its answer is taken
            self.pipe.send(sources[index])

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


def _serve(pipe: "Connection[Any, Any]", work: Callable[[Source], Any]) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends its workers
    wl.set_num_threads(1)
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            pipe.send(attempt(work, pipe.recv()))
