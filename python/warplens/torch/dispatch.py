"""The table of backends, and the choice of one: by the argument, by the environment, by device.

Tensors on the CPU go to the compiled core, and so do those of devices without float64 (MPS), which it copies.
Tensors on CUDA go to the Triton kernels where Triton is installed and they have passed their check on the
device, which takes place at its first use (`first_use`); until then, and on other devices, tensors go to
torch operations.
"""

import os
from typing import Literal, TypeAlias

import torch

from warplens.torch.backends.core import CoreBackend
from warplens.torch.backends.ops.backend import OpsBackend
from warplens.torch.backends.protocol import Backend
from warplens.torch.backends.triton.backend import TritonBackend
from warplens.torch.backends.triton.device_check import find_fault
from warplens.torch.first_use import FirstUse
from warplens.torch.inputs.settings import LocalCost
from warplens.torch.inputs.torch_private import is_traced

BackendName: TypeAlias = Literal["core", "ops", "triton"]

BACKENDS: dict[str, Backend] = {
    backend.name: backend for backend in (CoreBackend(), OpsBackend(), TritonBackend())
}
"""Every backend by its name."""

VARIABLE = "WARPLENS_BACKEND"
"""The variable of the environment that names the backend of calls that name none."""

FIRST_USES = {"cuda": FirstUse(BACKENDS["triton"], find_fault)}
"""Type of a device -> the backend that is the default where it passes its check."""

_DEFAULTS = {"cpu": "core", "mps": "core"}
"""Type of a device -> the default without a check."""

_DEFAULT_ELSEWHERE = "ops"


def choose_backend(name: BackendName | None, device: torch.device, cost: LocalCost | None = None) -> Backend:
    """Return the backend of a name; with None that of `WARPLENS_BACKEND`, and without it the default.

    Args:
        name: the argument `backend` of a call.
        device: of its tensors.
        cost: between its sequences; None where cost matrices are given.

    Raises:
        ValueError: There is no backend of that name, or it does not run on the device.
        RuntimeError: Under `torch.jit.trace`, which would freeze what the core computes.
    """
    check_backend(name)
    if name is not None:
        return _untraced(_named(name, device))
    variable = os.environ.get(VARIABLE)
    if not variable:
        return _untraced(default_backend(device, cost))
    if variable not in BACKENDS:
        raise ValueError(f"{VARIABLE}: is {variable!r}; this version has {_names()}, and '' to choose")
    try:
        return _untraced(_named(variable, device))
    except ValueError as reason:
        raise ValueError(f"{VARIABLE}: is {variable!r}, and the call names no backend; {reason}") from None


def choose_backend_of_model(name: BackendName | None, device: torch.device) -> str:
    """Return the name of the backend for steps, penalties or ends other than those of plain soft DTW.

    Raises:
        ValueError: "triton" was asked for, whose kernels take plain soft DTW alone, or there is no such.
        RuntimeError: Under `torch.jit.trace`, as in `choose_backend`.
    """
    if name == "triton":
        raise ValueError(
            "backend: 'triton' takes plain soft DTW alone; for steps, penalties or ends of other kinds take "
            "'ops', which runs on the same devices, or None"
        )
    if name is None and os.environ.get(VARIABLE) in (None, "", "triton"):
        return _untraced(unchecked_default(device)).name
    return choose_backend(name, device).name


def _untraced(backend: Backend) -> Backend:
    if not torch.compiler.is_compiling() and backend.name == "core" and is_traced():
        raise RuntimeError(
            "soft DTW: torch.jit.trace records operations of torch, and would keep the value of this call "
            "as a constant; use torch.compile or torch.export, or trace backend='ops', without a gradient"
        )
    return backend


def default_backend(device: torch.device, cost: LocalCost | None = None) -> Backend:
    """Return the backend for tensors on a device when none is asked for.

    A cost for which torch operations need no cost matrix and the checked backend does goes to operations.
    """
    unchecked = unchecked_default(device)
    first_use = FIRST_USES.get(device.type)
    if first_use is None:
        return unchecked
    preferred = first_use.backend
    if cost is not None and unchecked.takes(cost) and not preferred.takes(cost):
        return unchecked
    return preferred if first_use.passes(device) else unchecked


def unchecked_default(device: torch.device) -> Backend:
    """Return the default where no checked backend runs."""
    return BACKENDS[_DEFAULTS.get(device.type, _DEFAULT_ELSEWHERE)]


def check_backend(name: object) -> None:
    """Check the name of a backend; None chooses by environment and device."""
    if name is not None and name not in tuple(BACKENDS):
        raise ValueError(f"backend: is {name!r}; this version has {_names()}, and None to choose")


def _named(name: str, device: torch.device) -> Backend:
    backend = BACKENDS[name]
    if not torch.compiler.is_compiling():  # then the operator checks
        backend.check_device(device)
    return backend


def _names() -> str:
    return ", ".join(repr(each) for each in BACKENDS)
