"""A watch on the torch operations that are called and on their memory, without a device to measure it.

Tensors of the meta device have shapes and no values. An operation that needs a value of one, and so would
make the host wait for a device, is an error of torch itself.
"""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

VIEWS = frozenset(
    (
        *("_unsafe_view", "alias", "as_strided", "detach", "expand", "permute"),
        *("select", "slice", "t", "transpose", "unbind", "unfold", "unsqueeze", "view"),
    )
)


class Watched(TorchDispatchMode):
    """Count the operations that do work, follow the storages they make, and record copies that wait.

    Args:
        inputs: tensors that are there already and do not count.
    """

    def __init__(self, inputs=()):
        super().__init__()
        self.work = 0
        self.waiting = []
        self.peak = 0
        self.largest = 0
        self._live = 0
        self._seen = {tensor.untyped_storage()._cdata for tensor in inputs}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        name = function._overloadpacket.__name__
        if name in VIEWS:
            return result
        self.work += 1
        if _copies_between_devices(name, args, kwargs, result) and not _is_asynchronous(name, args, kwargs):
            self.waiting.append(name)
        for tensor in [result] if isinstance(result, torch.Tensor) else tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._follow(tensor.untyped_storage())
        return result

    def _follow(self, storage):
        key = storage._cdata
        if key not in self._seen:
            self._seen.add(key)
            self._live += storage.nbytes()
            self.peak = max(self.peak, self._live)
            self.largest = max(self.largest, storage.nbytes())
            weakref.finalize(storage, self._free, key, storage.nbytes())

    def _free(self, key, size):
        self._seen.discard(key)
        self._live -= size


def _copies_between_devices(name, args, kwargs, result):
    return name in ("_to_copy", "copy_") and args[0 if name == "_to_copy" else 1].device != result.device


def _is_asynchronous(name, args, kwargs):
    return kwargs.get("non_blocking", False) or (name == "copy_" and len(args) > 2 and args[2])
