"""The script that times devices, on tiny cases on the CPU: it runs from end to end and calls wrong wrong."""

import json
import subprocess
import sys

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
def test_without_a_gpu_nothing_is_measured_or_written(repository, tmp_path):
    path = tmp_path / "record.json"
    ended = devices(repository, "-o", str(path))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("not measured, no GPU here") == 4
    assert not path.exists()


def test_what_is_wrong_is_not_timed(repository, monkeypatch):
    monkeypatch.syspath_prepend(repository)
    from benches.python import devices as bench
    from benches.python.torch_task import TorchTask

    def prepare(workload, device):
        return TorchTask(workload, lambda x, y: x.sum((1, 2)) - y.sum((1, 2)), device)

    monkeypatch.setitem(bench.CONTENDERS, "wrong", prepare)
    row = bench.run(bench.all_cases(64)[1], "wrong", torch.device("cpu"), 1)
    assert (row.note, row.milliseconds) == ("wrong, so not timed", None)
