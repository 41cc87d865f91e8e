"""The table of backends, and the choice of one by name or by device.

Tensors on the CPU go to the compiled core, and so do those of devices without float64 (MPS), which it copies;
tensors on CUDA and other devices go to torch operations. Triton kernels run where they are asked for.
"""

from typing import Literal, TypeAlias

import torch

from warplens.torch.backends.core import CoreBackend
from warplens.torch.backends.ops.backend import OpsBackend
from warplens.torch.backends.protocol import Backend
from warplens.torch.backends.triton.backend import TritonBackend

BackendName: TypeAlias = Literal["core", "ops", "triton"]

BACKENDS: dict[str, Backend] = {
    backend.name: backend for backend in (CoreBackend(), OpsBackend(), TritonBackend())
}
"""Every backend by its name."""

_DEFAULTS = {"cpu": "core", "mps": "core"}
"""Type of a device -> the backend for it."""

_DEFAULT_ELSEWHERE = "ops"


def choose_backend(name: BackendName | None, device: torch.device) -> Backend:
    """Return the backend of a name, or with None the default of the device.

    Raises:
        ValueError: There is no backend of that name, or it does not run on the device.
    """
    check_backend(name)
    if name is None:
        return default_backend(device)
    backend = BACKENDS[name]
    if not torch.compiler.is_compiling():  # then the operator checks
        backend.check_device(device)
    return backend


def default_backend(device: torch.device) -> Backend:
    """Return the backend for tensors on a device when none is asked for."""
    return BACKENDS[_DEFAULTS.get(device.type, _DEFAULT_ELSEWHERE)]


def check_backend(name: object) -> None:
    """Check the name of a backend; None chooses by device."""
    if name is not None and name not in tuple(BACKENDS):
        names = ", ".join(repr(each) for each in BACKENDS)
        raise ValueError(f"backend: is {name!r}; this version has {names}, and None to choose")
