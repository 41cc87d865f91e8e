"""The script that times devices, on tiny cases on the CPU: it runs to its end and times no wrong result."""

import contextlib
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

pytest.importorskip("rich")

CONTENDERS = ("ops", "triton", "CTCLoss")


def devices(repository, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "benches.python.devices", *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_tiny_cases_are_checked_timed_and_recorded(repository, tmp_path):
    path = tmp_path / "record.json"
    options = ("--device", "cpu", "--quick", "--rounds", "1", "-o", str(path))
    ended = devices(repository, *options, "--contenders", *CONTENDERS)
    assert ended.returncode == 0, ended.stderr
    record = json.loads(path.read_text())
    assert len(record["cases"]) == 4
    for case in record["cases"]:
        assert case["asked"]
        assert case["title"] in ended.stdout
        ops, triton, ctc = case["rows"]
        assert ops["distance"]["gradient"] < 1e-6
        assert ops["milliseconds"]["median"] > 0
        assert triton["milliseconds"] is None
        assert triton["note"].startswith("not measured")
        assert ctc["milliseconds"]["median"] > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_nothing_is_measured_or_written(bench, tmp_path, monkeypatch, capsys):
    path = tmp_path / "record.json"
    monkeypatch.setattr(sys, "argv", ["devices", "-o", str(path)])
    bench._main()
    assert capsys.readouterr().out.count("not measured, no GPU here") == 4
    assert not path.exists()


@pytest.fixture
def bench(repository, monkeypatch):
    monkeypatch.syspath_prepend(repository)
    from benches.python import devices

    return devices


def test_what_is_wrong_is_not_timed(bench, monkeypatch):
    from benches.python.contenders.torch_task import TorchTask

    def prepare(workload, device):
        return TorchTask(workload, lambda x, y: x.sum((1, 2)) - y.sum((1, 2)), device)

    monkeypatch.setitem(bench.CONTENDERS, "wrong", prepare)
    row = bench.run(bench.all_cases(64)[1], "wrong", torch.device("cpu"), 1)
    assert (row.note, row.milliseconds) == ("wrong, so not timed", None)


def test_a_contender_in_its_own_process_gives_the_same(bench):
    case, cpu = bench.all_cases(64)[2], torch.device("cpu")
    here, apart = bench.run(case, "ops", cpu, 1), bench.apart(bench.run, case, "ops", cpu, 1)
    assert apart.distance == here.distance
    assert apart.milliseconds is not None


def test_a_process_that_breaks_or_hangs_breaks_nothing_else(bench, monkeypatch):
    with pytest.raises(RuntimeError, match="ended with exit code 3"):
        bench.apart(os._exit, 3)
    with pytest.raises(RuntimeError, match="no result after 0 s"):
        bench.apart(time.sleep, 1000, seconds=0)

    def broken(*arguments):
        raise RuntimeError("its process ended with exit code -11")

    monkeypatch.setattr(bench, "apart", broken)
    row = bench._run_apart(bench.all_cases(64)[0], "triton", torch.device("cuda"), 1)
    assert (row.name, row.note) == ("triton", "not measured: its process ended with exit code -11")


class FakeDevice:
    """A clock and a memory of a device: a call takes 3 ms and 500 bytes, of which it keeps 200."""

    def __init__(self, monkeypatch):
        self.log, self.now, self.held, self.peak = [], 0.0, 1000, 1000
        for name in ("synchronize", "reset_peak_memory_stats", "memory_allocated", "max_memory_allocated"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(torch.cuda, "device", self.chosen)
        monkeypatch.setattr(torch, "Event", self.event)

    def chosen(self, device):
        self.log.append(str(device))
        return contextlib.nullcontext()

    def synchronize(self, device):
        self.log.append("synchronize")

    def reset_peak_memory_stats(self, device):
        self.peak = self.held

    def memory_allocated(self, device):
        return self.held

    def max_memory_allocated(self, device):
        return self.peak

    def event(self, device, *, enable_timing):
        assert enable_timing
        return FakeEvent(self)

    def prepare(self, workload, device):
        return FakeTask(self)


class FakeEvent:
    def __init__(self, device):
        self.device = device

    def record(self):
        self.time = self.device.now
        self.device.log.append("record")

    def synchronize(self):
        self.device.log.append("wait")

    def elapsed_time(self, end):
        return end.time - self.time


class FakeTask:
    def __init__(self, device):
        self.device, self.kept = device, 0

    def __del__(self):
        self.device.held -= self.kept

    def call(self):
        device = self.device
        device.log.append("call")
        device.now += 3.0
        device.held -= self.kept
        device.peak = max(device.peak, device.held + 500)
        self.kept = 200
        device.held += self.kept

    def result(self):
        from benches.python.contenders.contender import Result

        return Result(np.ones(1), [np.ones((1, 1))])


def test_times_are_those_of_events_and_memory_that_of_a_first_call(bench, monkeypatch):
    device = FakeDevice(monkeypatch)
    monkeypatch.setitem(bench.CONTENDERS, "fake", device.prepare)
    monkeypatch.setattr(bench, "truth", lambda workload: FakeTask(device).result())
    row = bench.run(bench.all_cases(64)[0], "fake", torch.device("cuda:1"), 2)
    assert (row.note, row.milliseconds.least, row.milliseconds.most) == ("", 3.0, 3.0)
    assert row.peak_bytes == 500
    timed = ["synchronize", "record", "call", "record", "wait"]
    assert device.log[:12] == ["cuda:1", "call", *timed, *timed]
