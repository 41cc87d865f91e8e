"""Dask workers that are replaced when they die: a test that kills them must not wait for Dask to do it."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parents[1]


def start(address):
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    command += ["--no-nanny", "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"]
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def kept_workers(address, count):
    """`count` worker processes of the scheduler at the address, for as long as the block lasts."""
    workers = [start(address) for _ in range(count)]
    over = threading.Event()

    def replace_the_dead():
        while not over.wait(0.2):
            for index, worker in enumerate(workers):
                if worker.poll() is not None:
                    workers[index] = start(address)

    keeper = threading.Thread(target=replace_the_dead)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
        for worker in workers:
            worker.kill()
            worker.wait()
