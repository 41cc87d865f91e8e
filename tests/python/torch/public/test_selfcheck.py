"""The self-check names the backends that work, and calls no wrong result good."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from oracles.every_path import soft_dtw

from warplens import _core
from warplens.torch import selfcheck
from warplens.torch.backends.triton.plan import plan
from warplens.torch.dispatch import FIRST_USES
from warplens.torch.first_use import Outcome
from warplens.torch.plain_loops import solve_by_loops
from warplens.torch.selfcheck import CHECKED

CPU = torch.device("cpu")


def said(*ways):
    lines = []
    return selfcheck.check(ways, lines.append), lines


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(selfcheck, "TIMED", (1, 6, 4, 2))
    monkeypatch.setattr(selfcheck, "CHECKED", selfcheck.CHECKED[:1])


@pytest.mark.slow
def test_the_command_finds_core_and_operations_in_agreement():
    ended = subprocess.run(
        [sys.executable, "-m", "warplens.torch.selfcheck"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    rows = {line.split()[0]: line for line in ended.stdout.splitlines()}
    assert rows["core"].endswith("agrees")
    assert _core.instruction_set() in rows["core"]
    assert rows["ops"].endswith("agrees")
    assert "triton" in rows


@pytest.mark.parametrize("name", list(selfcheck.TOLERANCES))
@pytest.mark.parametrize("wrong", [lambda result: 1.001 * result, lambda result: result * torch.nan])
def test_any_wrong_result_is_a_failure(name, wrong):
    right = selfcheck.ways()[0]

    def step(batch):
        result = right.step(batch)
        return {**result, name: wrong(result[name])}

    assert said(right)[0] == 0
    status, lines = said(right, selfcheck.Way("wrong", CPU, step), right)
    assert status == 1
    assert [line.split()[-1] for line in lines[-3:]] == ["agrees", "DISAGREES", "agrees"]


def test_what_it_checks_meets_every_seam_of_the_kernels():
    plans = [plan(B, min(N, M), max(N, M)) for B, N, M, _ in CHECKED]
    assert any(sizes.length > sizes.block for sizes in plans)
    assert any(sizes.segments > 1 for sizes in plans)


@pytest.mark.parametrize(("may_be_absent", "status", "word"), [(True, 0, "not here"), (False, 1, "FAILED")])
def test_what_is_not_here_says_why(may_be_absent, status, word):
    def step(batch):
        raise ImportError("no such compiler\nand more")

    result, lines = said(selfcheck.Way("other", CPU, step, may_be_absent))
    assert result == status
    assert lines[-1].endswith(f"{word}: no such compiler")


@pytest.mark.parametrize(
    "error", [RuntimeError("illegal memory access"), ValueError("Pointer argument cannot be accessed")]
)
def test_a_way_that_breaks_is_never_absent(error):
    def step(batch):
        raise error

    assert said(selfcheck.Way("other", CPU, step, may_be_absent=True))[0] == 1


def test_triton_without_a_device_is_absent(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    status, lines = said(*(way for way in selfcheck.ways() if (way.name, way.device) == ("triton", CPU)))
    assert status == 0
    assert len(lines) == 2 or "not here: backend: 'triton'" in lines[-1]


@pytest.mark.parametrize(
    ("kind", "reason", "status", "words"),
    [
        ("passed", "", 0, "default on cuda:1: triton; triton at first use: passes"),
        ("failed", "H is wrong", 1, "default on cuda:1: ops; triton at first use: FAILS: H is wrong"),
        ("absent", "no triton", 0, "default on cuda:1: ops; triton at first use: not here: no triton"),
    ],
)
def test_the_check_at_first_use_is_shown_of_each_device(monkeypatch, kind, reason, status, words):
    outcomes = {"cuda:0": Outcome("passed"), "cuda:1": Outcome(kind, reason)}
    monkeypatch.setattr(FIRST_USES["cuda"], "outcome", lambda device: outcomes[str(device)])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    lines = []
    assert selfcheck.check_first_uses(selfcheck.checked_devices(), lines.append) == status
    assert lines == ["default on cuda:0: triton; triton at first use: passes", words]


def test_cuda_devices_are_tried_with_and_without_triton(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    names = {way.name for way in selfcheck.ways() if way.device.type == "cuda"}
    assert names == {"ops", "triton"}


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (4, 3)])
def test_its_reference_is_the_sum_over_every_path(shape):
    C = np.random.default_rng(0).uniform(-0.5, 2.0, shape)
    truth, result = soft_dtw(C, 0.3, (0.1, 1.0, 1.2)), solve_by_loops(C, 0.3, (0.1, 1.0, 1.2))
    assert result.value == pytest.approx(truth.value, abs=1e-12)
    np.testing.assert_allclose(result.H, truth.H, atol=1e-12)
    np.testing.assert_allclose(result.step_weights_grad, truth.step_weights_grad, atol=1e-12)
