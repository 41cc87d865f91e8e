"""Work for the engine that misbehaves in the process that runs it; importable, since it crosses processes."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Work:
    """Tells the process that ran an item; some raise, exit, hang, or are killed, some of those only once."""

    folder: Path
    raising: frozenset = frozenset()
    exiting: frozenset = frozenset()
    hanging: frozenset = frozenset()
    killed: frozenset = frozenset()
    killed_once: frozenset = frozenset()
    then: object = None

    def __call__(self, source):
        if source.id in self.raising:
            raise ValueError(f"{source.id} is\nno good")
        if source.id in self.exiting:
            os._exit(3)
        if source.id in self.hanging:
            with (self.folder / "attempts").open("a") as file:
                file.write(f"{source.id}\n")
            time.sleep(3600)
        if source.id in self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        if source.id in self.killed_once:
            try:
                (self.folder / source.id).touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return (source.id, os.getpid()) if self.then is None else self.then(source)


def failed(source, reason):
    return source.id, reason
