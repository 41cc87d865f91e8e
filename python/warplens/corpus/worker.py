"""One worker process, as its parent sees it and as it lives.

It has a pipe of its own; a worker whose parent is gone finds it closed and leaves.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

import warplens as wl
from warplens.corpus.attempt import attempt
from warplens.corpus.sources import Source

_SECONDS_TO_DIE = 5
"""A pipe closes a little before its process is gone, and tells how it went."""

_LEAST_AT_HAND = 2
"""The item in work and the next."""

_MOST_AT_HAND = 32
_MOST_BYTES_AT_HAND = 1 << 15

READY = object()
"""What a worker says first."""


@dataclass(eq=False)
class Worker:
    """A process and what it was given.

    Attributes:
        process: itself.
        pipe: items go one way, answers the other.
        items: numbers of those it has not answered, the first of them in work.
        work: what it does with items.
        started: whether it has said that it is there.
        begun: when the first of its items was begun, in `time.monotonic()`.
        pace: how many items it is to have at hand, see `take`.
        size: bytes of the last item it was handed.
    """

    process: BaseProcess
    pipe: "Connection[Any, Any]"
    items: deque[int] = field(default_factory=deque)
    work: Callable[[Source], Any] | None = None
    started: bool = False
    begun: float = 0.0
    pace: int = _LEAST_AT_HAND
    size: int = 1

    @property
    def is_at_work(self) -> bool:
        """Whether it is there and has something to do."""
        return self.started and bool(self.items)

    @classmethod
    def start(cls, others: Sequence["Worker"] = ()) -> "Worker":
        """A new one; it says `READY` when it is there.

        Args:
            others: those there are. A copy of this process closes their pipes, which would else not end with
                this process.
        """
        ours, theirs = multiprocessing.Pipe()
        process: BaseProcess
        with _environment_of_workers(), _no_signals() as blocked:
            if can_be_copied():
                foreign = [ours, *(other.pipe for other in others)]
                process = ForkProcess(target=_serve, args=(theirs, foreign, blocked), daemon=True)
            else:
                process = SpawnProcess(target=_serve, args=(theirs, [], blocked), daemon=True)
            process.start()
        theirs.close()  # so that the pipe ends with the worker
        return cls(process, ours)

    def give(self, index: int, source: Source, work: Callable[[Source], Any]) -> None:
        """Hand it one more item."""
        if not self.items:
            self.begun = time.monotonic()
        self.items.append(index)
        with contextlib.suppress(OSError):  # a dead worker shows when its answer is taken
            # The work crosses once.
            self.size = _send(self.pipe, (source, None if work is self.work else work))
        self.work = work

    def wants_more(self) -> bool:
        """Whether it has less at hand than it is to have."""
        # Both would wait for ever if what is at hand filled the pipe while it had a large answer to give.
        return len(self.items) < max(_LEAST_AT_HAND, min(self.pace, _MOST_BYTES_AT_HAND // self.size))

    def take(self) -> list[Any]:
        """Its messages that are there, one at least; None among them, the last, when it is dead.

        Sets the pace: it is to have more at hand than it answers from one time to the next.
        """
        messages: list[Any] = []
        try:
            while not messages or self.pipe.poll():
                message = _receive(self.pipe)
                messages.append(message if self.started else READY)
                self.started = True
        except (EOFError, OSError):
            messages.append(None)
        self.begun = time.monotonic()
        self.pace = max(_LEAST_AT_HAND, min(len(messages) + 1, _MOST_AT_HAND))
        return messages

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


def can_be_copied(patience: float = 0.0) -> bool:
    """Whether a copy of this process works as it does; it is there much sooner than a new interpreter.

    Of several threads a copy has one, and waits for ever for what the others held.

    Args:
        patience: seconds in which threads may end.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # It still imports the script of its parent, and may start no process; a copy would not be refused.
        return False
    begun = time.monotonic()
    with contextlib.suppress(OSError):
        while len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
            if time.monotonic() - begun >= patience:
                return False
            time.sleep(0.001)
        return True
    return False


# A new interpreter imports NumPy, which takes as many threads as this says; here processes are enough.
_ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


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


@contextlib.contextmanager
def _no_signals() -> Iterator[set[int]]:
    """Keeps signals from a worker until it has its own ways with them; the signals that were kept before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield {int(number) for number in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _send(pipe: "Connection[Any, Any]", message: object) -> int:
    """As `pipe.send`; how many bytes that were."""
    # Without its pickler for what only this machine has, which takes longer than a message.
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    pipe.send_bytes(content)
    return len(content)


def _receive(pipe: "Connection[Any, Any]") -> Any:
    return pickle.loads(pipe.recv_bytes())


def _keep_memory() -> None:
    """Memory once taken is kept (glibc): to give arrays back with each item and take them anew costs much."""
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None)
        for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            allocator.mallopt(option, 1 << 23)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def _serve(
    pipe: "Connection[Any, Any]", foreign: "Sequence[Connection[Any, Any]]", blocked: set[int]
) -> None:
    """The life of a worker."""
    # What the process that it is a copy of does at a signal is not for it.
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends its workers
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    for each in foreign:
        each.close()
    _keep_memory()
    gc.freeze()  # what is there by now stays, and need not be gone through again
    wl.set_num_threads(1)
    work: Any = None
    with contextlib.suppress(EOFError, OSError):
        _send(pipe, None)
        while True:
            source, new_work = _receive(pipe)
            work = work if new_work is None else new_work
            _send(pipe, attempt(work, source))
