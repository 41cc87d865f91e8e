"""Autograd inside an operator of `torch.library`, which runs below it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def autograd() -> Iterator[None]:
    """Records operations on tensors that require grad, also inside an operator."""
    include, exclude = torch._C._dispatch_tls_local_include_set(), torch._C._dispatch_tls_local_exclude_set()
    for key in (torch._C.DispatchKey.AutogradFunctionality, torch._C.DispatchKey.AutogradOther):
        exclude = exclude.remove(key)
    with torch._C._ForceDispatchKeyGuard(include, exclude), torch.enable_grad():
        yield
