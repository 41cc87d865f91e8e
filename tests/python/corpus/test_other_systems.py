"""Without locks, forks and signal masks, as on Windows, an analysis gives the same files."""

import os
import subprocess
import sys

import numpy as np
import pytest

from warplens.io import file_lock, replacing

WITHOUT = """
import os, signal, sys
sys.modules["fcntl"] = None
for module, names in (
    (os, ["fork", "register_at_fork"]),
    (signal, ["pthread_sigmask", "SIGKILL"]),
):
    for name in names:
        delattr(module, name)
import multiprocessing.context as context
del context.ForkProcess, context._concrete_contexts["fork"]
listdir = os.listdir
def without_proc(path="."):
    if str(path).startswith("/proc"):
        raise FileNotFoundError(path)
    return listdir(path)
os.listdir = without_proc
"""

CODE = """
import sys
from pathlib import Path
import numpy as np
from warplens.corpus import Settings, analyze
from warplens.io import file_lock

if __name__ == "__main__":
    folder, out = map(Path, sys.argv[1:])
    analyze([folder], out, Settings(cost="mse", gammas=(0.1, 1.0)), processes=2)
    print(file_lock.HAS_LOCKS)
"""


def run(folder, out, tmp_path, path):
    script = tmp_path / "script.py"
    script.write_text(CODE)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*path, *sys.path])}
    command = [sys.executable, str(script), str(folder), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def items(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "items"
    folder.mkdir()
    for index in range(3):
        np.savez(folder / f"{index}.npz", predictions=rng.random((12, 3)), weak=rng.random((4, 3)))
    return folder


def test_an_analysis_without_locks_forks_and_masks_gives_the_same_files(tmp_path, items):
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(WITHOUT)
    here, there = tmp_path / "here", tmp_path / "there"
    assert run(items, here, tmp_path, []) == "True"
    assert run(items, there, tmp_path, [str(site)]) == "False"
    files = sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file()) == files
    for file in files:
        if file.name != "run.json":
            assert (here / file).read_bytes() == (there / file).read_bytes(), file


def test_leftovers_are_removed_without_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(file_lock, "HAS_LOCKS", False)
    (tmp_path / f".{'0' * 16}.part").write_bytes(b"half")
    with replacing.replacing(tmp_path / "whole") as file:
        file.write(b"whole")
    replacing.remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
    with pytest.raises(ZeroDivisionError):
        fail_while_writing(tmp_path / "whole")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def fail_while_writing(path):
    with replacing.replacing(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
