"""The choice of a backend, by name and by device, and what a further backend has to be."""

from typing import get_args

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch

import warplens.torch as wlt
from warplens.torch import dispatch
from warplens.torch.backends.ops.backend import OpsBackend


def test_the_default_backend_of_a_device():
    for device, name in (("cpu", "core"), ("mps", "core"), ("cuda", "ops"), ("xpu", "ops"), ("meta", "ops")):
        assert dispatch.choose_backend(None, torch.device(device)).name == name


def test_a_backend_that_is_named_is_taken():
    for name in BACKENDS:
        assert dispatch.choose_backend(name, torch.device("cpu")).name == name


def test_the_type_of_the_argument_lists_the_table():
    assert get_args(dispatch.BackendName) == tuple(dispatch.BACKENDS)
    for name, backend in dispatch.BACKENDS.items():
        assert backend.name == name
        assert backend.title.startswith(name)


class RecordingBackend(OpsBackend):
    """A further backend: an object in the table, and nothing else."""

    name = "recording"

    def __init__(self):
        self.calls = []

    def solve_pairs(self, *arguments):
        self.calls.append("solve_pairs")
        return super().solve_pairs(*arguments)

    def solve_costs(self, *arguments):
        self.calls.append("solve_costs")
        return super().solve_costs(*arguments)

    def results_of_pairs(self, *arguments):
        self.calls.append("results_of_pairs")
        return super().results_of_pairs(*arguments)


def test_a_further_backend_is_one_object_in_the_table(monkeypatch):
    backend = RecordingBackend()
    monkeypatch.setitem(dispatch.BACKENDS, backend.name, backend)
    x, y = random_batch("mse")

    def loss(x, **settings):
        return wlt.soft_dtw_loss(x, y, **settings)

    for settings in ({}, {"cost": lambda x, y: torch.cdist(x, y)}):
        assert torch.equal(loss(x, backend="recording", **settings), loss(x, backend="ops", **settings))
    alignment = wlt.align(x, y, backend="recording")
    assert torch.equal(alignment.H, wlt.align(x, y, backend="ops").H)
    gradient = torch.func.grad(lambda x: loss(x, backend="recording"))(x)
    assert torch.equal(gradient, torch.func.grad(lambda x: loss(x, backend="ops"))(x))
    named = ["solve_pairs", "solve_costs", "results_of_pairs", "results_of_pairs", "solve_pairs"]
    assert backend.calls == named


def test_an_unknown_backend_is_refused_whatever_it_is():
    for name in ("cuda", 3, ["core"]):
        with pytest.raises(ValueError, match="backend: is "):
            dispatch.choose_backend(name, torch.device("cpu"))
