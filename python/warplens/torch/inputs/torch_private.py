"""Every use of torch's private interface, each as a function that says what depends on it.

Names with a leading underscore may change in any release of torch. A test says whether each is still there.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn


def is_transformed() -> bool:
    """Return True inside a transform of `torch.func`, whose tensors stand for others."""
    return torch._C._are_functorch_transforms_active()


def is_traced() -> bool:
    """Return True inside `torch.jit.trace`, whose own question is not typed."""
    return bool(torch._C._is_tracing())


def has_dispatch_mode() -> bool:
    """Return True while a mode sees the operations of this thread, as `FakeTensorMode` and tracers do."""
    return torch._C._len_torch_dispatch_stack() > 0


def stands_for_many(tensor: Tensor) -> bool:
    """Return True for a tensor of a backward pass under `is_grads_batched`, which has no own values."""
    return bool(torch._C._functorch.is_legacy_batchedtensor(tensor))


def is_graph_kept() -> bool:
    """Return True if the graph outlives this backward pass (`retain_graph`), or if torch does not tell.

    What such a graph keeps must not be handed out, because its receiver may change it in place.
    """
    tell = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return tell is None or bool(tell())


def number_of_changes(tensor: Tensor) -> int:
    """Return how often a tensor was changed in place; 0 for inference tensors, which do not count it."""
    return 0 if tensor.is_inference() else tensor._version


@contextmanager
def recorded_by_autograd() -> Iterator[None]:
    """Record operations on tensors that require grad, also inside an operator of `torch.library`.

    Operators run below autograd, and yet the maps from frames to costs are differentiated inside them.
    """
    include, exclude = torch._C._dispatch_tls_local_include_set(), torch._C._dispatch_tls_local_exclude_set()
    for key in (torch._C.DispatchKey.AutogradFunctionality, torch._C.DispatchKey.AutogradOther):
        exclude = exclude.remove(key)
    with torch._C._ForceDispatchKeyGuard(include, exclude), torch.enable_grad():
        yield


def shown(tensor: Tensor) -> str:
    """Return the numbers of a setting for `repr`; a meta tensor has none."""
    if tensor.is_meta:
        return "?"
    if tensor.ndim == 0:
        return f"{tensor.item():g}"
    return f"({', '.join(f'{value:g}' for value in tensor.tolist())})"


class UncastModule(nn.Module):
    """A module that follows moves to a device and keeps its dtypes under `.half()` and the like.

    Its settings are buffers. `keep_settings` tells their values, so that a module which was built on the meta
    device has them when it is given memory.
    """

    _settings: Mapping[str, Any] = {}

    def keep_settings(self, **given: Any) -> None:
        """Keep the values of buffers, as the constructor was given them; parameters have no such."""
        self._settings = {
            name: value.detach().clone() if isinstance(value, Tensor) else value
            for name, value in given.items()
            if self._buffers.get(name) is not None
        }

    def reset_parameters(self) -> None:
        """Give the settings that are buffers the values that the constructor was given.

        Raises:
            RuntimeError: a value was a tensor on the meta device, which has none.
        """
        for name, value in self._settings.items():
            if isinstance(value, Tensor) and value.is_meta:
                raise RuntimeError(
                    f"{name}: was given as a tensor on the meta device, which has no value; give a number, "
                    "or set it in place"
                )
            buffer = self.get_buffer(name)
            with torch.no_grad():
                buffer.copy_(torch.as_tensor(value, dtype=buffer.dtype, device="cpu").reshape(buffer.shape))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Apply the moves of `.to()`, `.half()`, `.cuda()` and the like, and none of their casts."""

        def move(tensor: Tensor) -> Tensor:
            try:
                moved = fn(tensor)
                return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)
            except TypeError:
                # A device without float64 refuses; there the loss goes through the CPU anyway.
                return tensor

        had_no_values = self._is_meta()
        super()._apply(move, recurse)  # type: ignore[no-untyped-call]
        if had_no_values and not self._is_meta():
            self.reset_parameters()
        return self

    def _is_meta(self) -> bool:
        buffers = (self._buffers.get(name) for name in self._settings)
        return any(buffer is not None and buffer.is_meta for buffer in buffers)
