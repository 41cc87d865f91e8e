"""Items on Dask distributed (extra `dask`): one task an item, one small result a task.

The scheduler gives the tasks of a worker that died to others; a task over which several workers die is given
up. Files that such a task had written stay, and the next run reuses them.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, TypeVar

import warplens as wl
from warplens.corpus.inputs.source import Source
from warplens.corpus.workers.attempt import Answer, EngineError, attempt

if TYPE_CHECKING:
    from distributed import Client, Future

R = TypeVar("R")

_ADDRESS = re.compile(r"((tcp|tls|ucx|wss?)://)?[^\s/]+:(?P<port>[1-9]\d{0,4})|inproc://\S+")

_AHEAD = 1024
"""Tasks submitted beyond the one that is waited for; a task is a few hundred bytes."""

_SECONDS_TO_CONNECT = 10

_SECONDS_WITHOUT_WORKERS = 120
"""Time without any worker after which the run gives up; finished items stay finished."""

_SECONDS_A_CHECK = 5

_REMEDY = "start it and run again, what is done stays done"


def run_on_cluster(
    sources: Sequence[Source], work: Callable[[Source], R], scheduler: str
) -> Generator[Answer[R], None, None]:
    """Yield the answer for every source, in order; see `engine.Engine.run`.

    Raises:
        EngineError: Dask is not installed, the scheduler cannot be reached, or no worker comes to it.
    """
    try:
        from distributed import Client, Future, KilledWorker
    except ModuleNotFoundError as error:
        raise EngineError(
            f"scheduler: needs '{error.name}', which is not installed: pip install warplens[dask]"
        ) from error
    match = _ADDRESS.fullmatch(scheduler)
    if match is None or int(match["port"] or 1) >= 1 << 16:
        # The client would say so too, and then fail once more when it is thrown away.
        raise EngineError(
            f"scheduler: {scheduler} cannot be reached: it is no address, such as tcp://127.0.0.1:8786"
        )
    try:
        client = Client(  # type: ignore[no-untyped-call]
            scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise EngineError(f"scheduler: {scheduler} cannot be reached: {error}") from error
    with client:
        waiting: deque[Future[Answer[R]]] = deque()
        submitted = 0
        for source in sources:
            while submitted < len(sources) and len(waiting) < _AHEAD:
                waiting.append(client.submit(_attempt_on_one_thread, work, sources[submitted], pure=False))
                submitted += 1
            future = waiting.popleft()
            try:
                try:
                    yield _result(client, future, scheduler)
                except KilledWorker:
                    # Dask blames every task that a dead worker held; an innocent one lives when tried again.
                    yield _result(
                        client, client.submit(_attempt_on_one_thread, work, source, pure=False), scheduler
                    )
            except KilledWorker as error:
                last = error.last_worker.address if error.last_worker else "unknown"
                yield Answer(reason=f"the workers that ran it died, the last one at {last}")


def _result(client: "Client", future: "Future[Answer[R]]", scheduler: str) -> Answer[R]:
    """Return the result of a task, as long as there are workers that could compute it."""
    from concurrent.futures import CancelledError  # here, as all that only a cluster needs

    since = time.monotonic()
    while True:
        try:
            return future.result(timeout=_SECONDS_A_CHECK)
        except TimeoutError:  # of the wait: what the work raises is in its answer
            pass
        except (CancelledError, OSError) as error:
            raise EngineError(f"scheduler: {scheduler} is lost; {_REMEDY}") from error
        if client.status != "running":
            raise EngineError(f"scheduler: {scheduler} is lost; {_REMEDY}")
        if client.scheduler_info()["workers"]:
            since = time.monotonic()
        elif time.monotonic() - since > _SECONDS_WITHOUT_WORKERS:
            raise EngineError(
                f"scheduler: {scheduler} has had no workers for {_SECONDS_WITHOUT_WORKERS} s; {_REMEDY}"
            )


def _attempt_on_one_thread(work: Callable[[Source], R], source: Source) -> Answer[R]:
    """Do one item on one thread: a worker may run as many tasks as it has threads."""
    wl.set_num_threads(1)
    return attempt(work, source)
