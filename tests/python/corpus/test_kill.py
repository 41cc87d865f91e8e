"""Runs that are ended from outside, in the middle: nothing half is taken for whole, and the next goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")
pytest.importorskip("click")
pytest.importorskip("rich")

from corpus.sample_items import save_corpus
from corpus.test_analyze import content

from warplens.cli.param_types import gammas_of
from warplens.corpus import Settings, analyze, sweep

PATIENCE = 120
"""Seconds after which a test gives up on another process; what is tested does not depend on it."""

N_ITEMS = 16


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A process that nobody waits for stays as a zombie; its files are closed with its last thread.
    return state != "Z" or threads > 1


@pytest.fixture
def corpus(tmp_path):
    return save_corpus(tmp_path / "in", N_ITEMS)


@pytest.fixture(params=["analyze", "sweep"])
def command(request):
    return request.param


RUN = {"analyze": analyze, "sweep": lambda inputs, out: sweep(inputs, out, Settings(gammas_of(GRID)))}
GRID = "0.01:100:13"
"""As by default at the command line."""

TABLE = {"analyze": "items.csv", "sweep": "sweep.csv"}


@pytest.fixture
def halted(tmp_path, corpus, command):
    """A run of which both workers stand in the middle of writing, and their process ids."""
    markers = tmp_path / "markers"
    markers.mkdir()
    run = subprocess.Popen(
        [
            sys.executable,
            Path(__file__).with_name("halting_run.py"),
            command,
            corpus,
            tmp_path / "out",
            markers,
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        # Whoever runs the tests in the background may ignore it, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_until(lambda: len(list(markers.iterdir())) == 2 or run.poll() is not None, "both workers")
        assert run.poll() is None, run.stderr.read()
        yield run, [int(marker.name) for marker in markers.iterdir()]
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.stderr.close()
        run.wait()


def done_in(out):
    """Files of single items."""
    return [*(out / "items").rglob("*.npz"), *(out / "sweep").rglob("*.json")]


def leftovers(out):
    return list(out.rglob("*.part"))


@pytest.mark.slow
def test_after_kill_9_the_next_run_gives_the_bytes_of_an_undisturbed_one(tmp_path, corpus, command, halted):
    out = tmp_path / "out"
    run, workers = halted
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in workers), "the workers' end")
    assert len(leftovers(out)) == 2
    assert not (out / TABLE[command]).exists()
    assert len(done_in(out)) == 8

    again = RUN[command]([corpus], out)
    assert sum(outcome.reused for outcome in again.outcomes) == 8
    RUN[command]([corpus], tmp_path / "undisturbed")
    assert content(out) == content(tmp_path / "undisturbed")


@pytest.mark.slow
def test_a_run_leaves_alone_what_another_is_writing(tmp_path, corpus, command, halted):
    out = tmp_path / "out"
    assert len(leftovers(out)) == 2
    RUN[command]([corpus], out)
    assert len(leftovers(out)) == 2


def test_ctrl_c_ends_all_processes_and_leaves_nothing_half_written(tmp_path, halted):
    run, workers = halted
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(PATIENCE) == 130
    assert "Interrupted" in run.stderr.read()
    assert not any(is_alive(pid) for pid in workers)
    assert leftovers(tmp_path / "out") == []
    assert len(done_in(tmp_path / "out")) == 8


ANOTHER_THREAD = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
"""With it a process cannot be forked, so workers are spawned."""


@pytest.mark.parametrize("beginning", ["", ANOTHER_THREAD], ids=["forked", "spawned"])
def test_workers_leave_when_their_parent_is_killed(tmp_path, corpus, beginning):
    script = tmp_path / "run.py"
    script.write_text(
        "import multiprocessing, sys, time\n"
        "from pathlib import Path\n"
        "from warplens.corpus import analyze\n"
        "class Halt:\n"
        "    def started(self, total, ignored): pass\n"
        "    def finished(self, outcome):\n"
        "        print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "        time.sleep(3600)\n"
        "if __name__ == '__main__':\n"
        f"    {'; '.join(beginning.splitlines()) or 'pass'}\n"
        "    analyze([Path(sys.argv[1])], Path(sys.argv[2]), processes=2, progress=Halt())\n"
    )
    with subprocess.Popen(
        [sys.executable, script, corpus, tmp_path / "out"], stdout=subprocess.PIPE, text=True
    ) as run:
        workers = [int(pid) for pid in run.stdout.readline().split()]
        run.kill()
    assert len(workers) == 2
    wait_until(lambda: not any(is_alive(pid) for pid in workers), "the workers' end")


def test_workers_do_not_do_what_the_script_does_at_a_signal(tmp_path, corpus):
    script = tmp_path / "run.py"
    script.write_text(
        "import multiprocessing, os, signal, sys\n"
        "from pathlib import Path\n"
        "from warplens.corpus import analyze\n"
        "def clean_up(number, frame): Path(sys.argv[3]).touch()\n"
        "class Ending:\n"
        "    def started(self, total, ignored): pass\n"
        "    def finished(self, outcome):\n"
        "        for child in multiprocessing.active_children(): os.kill(child.pid, signal.SIGTERM)\n"
        "        print(*[child.join() or child.exitcode for child in children], flush=True)\n"
        "        os._exit(0)\n"
        "signal.signal(signal.SIGTERM, clean_up)\n"
        "if __name__ == '__main__':\n"
        "    from warplens.corpus.workers.pool import Worker\n"
        "    children, start = [], Worker.start\n"
        "    def noted(others):\n"
        "        worker = start(others)\n"
        "        children.append(worker.process)\n"
        "        return worker\n"
        "    Worker.start = noted\n"
        "    analyze([Path(sys.argv[1])], Path(sys.argv[2]), processes=2, progress=Ending())\n"
    )
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, script, corpus, tmp_path / "out", tmp_path / "cleaned"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **single},
        timeout=PATIENCE,
    )
    assert run.stdout.split() == [str(-signal.SIGTERM)] * 2
    assert not (tmp_path / "cleaned").exists()


IN_THE_PARENT = "if __name__ == '__main__':\n    " + ANOTHER_THREAD.replace("\n", "\n    ").rstrip(" ")
"""Threads that its workers, which import the script too, have not."""


@pytest.mark.parametrize(
    "beginning",
    ["", ANOTHER_THREAD, IN_THE_PARENT],
    ids=["forked", "spawned", "spawned-by-one-that-could-be-forked"],
)
def test_a_script_without_a_guard_runs_or_names_what_it_needs(tmp_path, corpus, beginning):
    script = tmp_path / "run.py"
    script.write_text(
        beginning + "import os, sys\n"
        "from pathlib import Path\n"
        "from warplens.corpus import analyze\n"
        "analyze([Path(sys.argv[1])], Path(sys.argv[2]), processes=2)\n"
    )
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # so that NumPy starts none
    run = subprocess.run(
        [sys.executable, script, corpus, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **single},
    )
    if not beginning:
        assert (run.returncode, run.stderr) == (0, "")
        assert len(done_in(tmp_path / "out")) == N_ITEMS
        return
    assert run.returncode == 1
    assert "EngineError" in run.stderr.splitlines()[-1]
    assert "needs its own work under `if __name__ == '__main__':`" in run.stderr
