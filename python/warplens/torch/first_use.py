"""The check of a backend at its first use on a device, and its outcome, which the process remembers.

The check runs in a thread of its own. What a caller has set in its thread (grad and inference mode, autocast,
default device, dispatch modes, current device and stream) does not reach the check, and nothing of the check
reaches the caller. It draws no random number of a global generator and sets nothing that threads share.
"""

import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

from warplens.torch.backends.protocol import Backend
from warplens.torch.inputs.torch_private import has_dispatch_mode, is_traced, is_transformed

FindFault: TypeAlias = Callable[[torch.device], str | None]
"""device -> where the backend differs from the core there, in words; None: nowhere."""

_LONGEST_REASON = 400
_FRAMES_TO_CALLER = (
    6  # _tell, passes, default_backend, choose_backend, a function of the interface, its caller
)


@dataclass(frozen=True)
class Outcome:
    """Outcome of a check on one device."""

    kind: Literal["passed", "failed", "absent"]  # absent: the backend does not run there, and was not tried
    reason: str = ""


class FirstUse:
    """The outcomes of a backend's check, one a device.

    Args:
        backend: that is to be checked.
        find_fault: the check; an exception is a fault too.
    """

    def __init__(self, backend: Backend, find_fault: FindFault) -> None:
        self.backend = backend
        self._find_fault = find_fault
        self._outcomes: dict[str, Outcome] = {}
        self._untold: dict[str, str] = {}  # device -> reason of a failure that no warning has told yet
        # By process: a check that runs while the process forks does not go on in the child.
        self._running: dict[tuple[int, str], Future[None]] = {}

    def passes(self, device: torch.device) -> bool:
        """Return True if the backend has passed on the device; check it if that may be done now.

        The first call that may check does so and waits; others wait with it. A failure is told by one
        warning. While a check may not run (a step that is compiled, transformed, traced, captured in a CUDA
        graph or seen by a dispatch mode) a device without an outcome counts as not passed, and stays without
        one.
        """
        place = str(device)
        outcome = self._outcomes.get(place)
        if outcome is None:
            if not may_check(device):
                return False
            outcome = self.outcome(device)
        if outcome.kind == "passed":
            return True
        if place in self._untold and not torch.compiler.is_compiling():
            self._tell(device)
        return False

    def outcome(self, device: torch.device) -> Outcome:
        """Return the outcome on the device, after a check if there is none yet."""
        place = str(device)
        if place not in self._outcomes:
            own: Future[None] = Future()
            running = self._running.setdefault((os.getpid(), place), own)  # atomic: one thread alone checks
            if running is own:
                self._start(device, own)
            running.result()
        return self._outcomes[place]

    def _start(self, device: torch.device, done: Future[None]) -> None:
        # A thread, and not a call under fresh modes: there are many, and some have no way to be set aside.
        thread = threading.Thread(target=self._conclude, args=(device, done), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread can be had
            self._record(device, Outcome("failed", _described(error)), done)

    def _conclude(self, device: torch.device, done: Future[None]) -> None:
        try:
            self.backend.check_device(device)
        except ValueError as reason:
            self._record(device, Outcome("absent", str(reason)), done)
            return
        try:
            fault = self._find_fault(device)
        except BaseException as error:  # whatever it is, operations serve
            fault = _described(error)
        self._record(device, Outcome("passed") if fault is None else Outcome("failed", fault), done)

    def _record(self, device: torch.device, outcome: Outcome, done: Future[None]) -> None:
        place = str(device)
        if outcome.kind == "failed":
            self._untold[place] = outcome.reason
        self._outcomes[place] = outcome
        done.set_result(None)

    def _tell(self, device: torch.device) -> None:
        reason = self._untold.pop(str(device), None)  # atomic: one thread alone warns
        if reason is None:
            return
        name = self.backend.name
        warnings.warn(
            f"backend {name!r} failed its check at first use on {_named(device)}: {reason}. Torch operations "
            f"are used there instead, which give the same in more time. To force {name!r} all the same, pass "
            f"backend={name!r} or set WARPLENS_BACKEND={name} in the environment; backend='ops' or "
            "WARPLENS_BACKEND=ops takes operations without a check. python -m warplens.torch.selfcheck shows "
            "more",
            RuntimeWarning,
            stacklevel=_FRAMES_TO_CALLER,
        )


def may_check(device: torch.device) -> bool:
    """Return True if a check may run now: an eager step whose operations nothing records or replaces."""
    if torch.compiler.is_compiling() or is_traced() or is_transformed() or has_dispatch_mode():
        return False
    # Without CUDA a tensor on such a device stands for another, as in `FakeTensorMode`.
    return device.type != "cuda" or (torch.cuda.is_available() and not _is_captured(device))


def _is_captured(device: torch.device) -> bool:
    """Return True while a CUDA graph is captured on the current stream, of the current device or of this."""
    if torch.cuda.is_current_stream_capturing():
        return True
    with torch.cuda.device(device):
        return torch.cuda.is_current_stream_capturing()


def _named(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    try:
        return f"{device} ({torch.cuda.get_device_name(device)})"
    except Exception:  # the failure may have been that of the device
        return str(device)


def _described(error: BaseException) -> str:
    """Return the type, notes and text of an error in one line; of a long text the beginning and the end."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if len(text) > _LONGEST_REASON:
        half = _LONGEST_REASON // 2
        text = f"{text[:half]} [...] {text[-half:]}"
    return ": ".join([*getattr(error, "__notes__", ()), text])
