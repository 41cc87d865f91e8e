"""One worker process: its handle in the parent, and its main loop.

Each has a pipe of its own; a worker whose parent is gone finds it closed and leaves.
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

import warplens as wl
from warplens.corpus.inputs.source import Source
from warplens.corpus.workers.attempt import attempt

_SECONDS_TO_DIE = 5
"""A pipe closes a little before its process is gone and has an exit code."""

_AT_HAND = 2
"""The item in work and the next, for which a worker then never waits."""

READY = object()
"""First message of a worker."""


@dataclass(eq=False)
class Worker:
    """A worker process and the items it was given.

    Attributes:
        process: the process.
        pipe: items go one way, answers the other.
        items: numbers of the items that it has not answered, the first of them in work.
        work: the last work it was sent.
        started: whether its `READY` has come.
        begun: when the first of its items was begun, in `time.monotonic()`.
    """

    process: BaseProcess
    pipe: "Connection[Any, Any]"
    items: deque[int] = field(default_factory=deque)
    work: Callable[[Source], Any] | None = None
    started: bool = False
    begun: float = 0.0

    @property
    def is_busy(self) -> bool:
        """True if it has started and has an item to work on."""
        return self.started and bool(self.items)

    @property
    def wants_more(self) -> bool:
        """True if it has no next item at hand."""
        return len(self.items) < _AT_HAND

    @classmethod
    def start(cls, others: Sequence["Worker"] = ()) -> "Worker":
        """Start a worker, which sends `READY` once it runs.

        Args:
            others: the workers that run already. A fork closes its copies of their pipes, which would
                otherwise stay open when this process ends.
        """
        ours, theirs = multiprocessing.Pipe()
        process: BaseProcess
        with _single_threaded_environment(), _blocked_signals() as blocked:
            if can_fork():
                copies = [ours, *(other.pipe for other in others)]
                # By name: Windows has no such class.
                fork = multiprocessing.get_context("fork")
                process = fork.Process(target=_run_worker, args=(theirs, copies, blocked), daemon=True)
            else:
                process = SpawnProcess(target=_run_worker, args=(theirs, [], blocked), daemon=True)
            process.start()
        theirs.close()  # so that the pipe ends with the worker
        return cls(process, ours)

    def give(self, index: int, source: Source, work: Callable[[Source], Any]) -> None:
        """Send one more item."""
        if not self.items:
            self.begun = time.monotonic()
        self.items.append(index)
        with contextlib.suppress(OSError):  # `receive` notices a dead worker
            self.pipe.send((source, None if work is self.work else work))  # the work is sent once
        self.work = work

    def receive(self) -> Any:
        """Return the next message: `READY`, then an answer for each item; None if the worker is dead."""
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):
            return None
        self.begun = time.monotonic()
        if self.started:
            return message
        self.started = True
        return READY

    def kill(self) -> None:
        """Kill the process, whatever it is doing."""
        self.pipe.close()
        self.process.kill()
        self.process.join(_SECONDS_TO_DIE)  # one that waits for a dead disk may outlive even that

    def cause_of_death(self) -> str:
        """Describe in words how a worker ended that answers no longer."""
        self.process.join(_SECONDS_TO_DIE)
        self.kill()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"{name}, perhaps for lack of memory" if name == "SIGKILL" else name


def can_fork() -> bool:
    """Return True if a fork of this process works; it starts much sooner than a new interpreter.

    A fork has one thread of several, and waits for ever for locks that the others held. Where the threads of
    the process cannot be counted, as on macOS and Windows, nothing is forked.
    """
    if multiprocessing.current_process().name != "MainProcess":
        # A spawned process that still imports the script of its parent may start no process. Python refuses
        # it a spawned one, so that a script without a guard ends; a fork would run the script again.
        return False
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208
    return False


# A new interpreter imports NumPy, which takes as many threads as this says; here processes are enough.
_ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@contextlib.contextmanager
def _single_threaded_environment() -> Iterator[None]:
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


@contextlib.contextmanager
def _blocked_signals() -> Iterator[set[int]]:
    """Block all signals, which a worker unblocks with its own handlers; yield those blocked before."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield set()
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield {int(number) for number in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run_worker(
    pipe: "Connection[Any, Any]", copies: "Sequence[Connection[Any, Any]]", blocked: set[int]
) -> None:
    """Run the main loop of a worker."""
    # Handlers of the process that it is a fork of are not for it.
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends its workers
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    for copy in copies:
        copy.close()
    wl.set_num_threads(1)
    work: Any = None
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            source, new_work = pipe.recv()
            work = work if new_work is None else new_work
            pipe.send(attempt(work, source))
