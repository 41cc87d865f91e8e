"""Self-check of the backends on this machine: `python -m warplens.torch.selfcheck`.

Every backend is tried on every device that torch finds. Value, gradient in x, h and gradient in the step
weights of a small ragged batch and of a long pair are held against float64 loops, and one training step of
another batch is timed. The exit status is 1 when a way of computing them disagrees or breaks; one that is not
here does not count.
"""

import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

import warplens
from warplens import _core
from warplens.torch.backends.protocol import Backend
from warplens.torch.dispatch import BACKENDS, default_backend
from warplens.torch.functional import align, soft_dtw_loss
from warplens.torch.plain_loops import solve_by_loops

COST, GAMMA, STEP_WEIGHTS = "bce_logits", 0.3, (0.1, 1.0, 1.0)
TOLERANCES = {"value": 1e-6, "x gradient": 1e-5, "h": 1e-5, "step weights": 1e-5}
"""Largest difference, as a share of the largest number of the reference (of 1, where that is smaller)."""
CHECKED = ((4, 50, 21, 6), (1, 1300, 210, 6))  # B, N, M, D; kernels cut the second in blocks and segments
TIMED = (4, 200, 40, 16)
ROUNDS = 5

Results: TypeAlias = dict[str, Tensor]
"""Results by the names of `TOLERANCES`, on the CPU."""


@dataclass(frozen=True)
class Batch:
    """A batch of float32 and its lengths."""

    x: Tensor
    y: Tensor
    x_lengths: list[int]
    y_lengths: list[int]

    @classmethod
    def of(cls, B: int, N: int, M: int, D: int) -> "Batch":
        """Return logits, and targets with about a quarter of ones; the first pair is the longest."""
        random = torch.Generator().manual_seed(0)
        x = 2.0 * torch.randn(B, N, D, generator=random)
        y = (torch.rand(B, M, D, generator=random) < 0.25).to(torch.float32)
        return cls(x, y, [max(1, N - 7 * b) for b in range(B)], [max(1, M - 4 * b) for b in range(B)])


@dataclass(frozen=True)
class Way:
    """A backend on a device."""

    name: str
    device: torch.device
    step: Callable[[Batch], Results]
    may_be_absent: bool = False  # which an ImportError then says


def ways() -> list[Way]:
    """Return all ways that there could be; those that are not here say so when they are tried.

    They are every backend on the CPU, the default one on every other device, and those that may be absent on
    CUDA devices.
    """
    cpu = torch.device("cpu")
    always = [backend for backend in BACKENDS.values() if not backend.is_optional]
    optional = [backend for backend in BACKENDS.values() if backend.is_optional]
    cuda = [device for device in devices() if device.type == "cuda"] or [cpu]
    return [
        *(_way(backend, cpu, backend.title) for backend in always),
        *(_way(default_backend(device), device) for device in devices()),
        *(_way(backend, device) for backend in optional for device in cuda),
    ]


def devices() -> list[torch.device]:
    """Return one device of each kind beside the CPU."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "xpu": torch.xpu.is_available(),
    }
    return [torch.device(kind) for kind, is_present in present.items() if is_present]


def _way(backend: Backend, device: torch.device, title: str | None = None) -> Way:
    def step(batch: Batch) -> Results:
        _check_presence(backend, device)
        x = batch.x.to(device).detach().requires_grad_()
        y = batch.y.to(device)
        weights = torch.tensor(STEP_WEIGHTS, dtype=torch.float64, requires_grad=True)
        lengths = batch.x_lengths, batch.y_lengths
        settings: dict[str, Any] = {"cost": COST, "gamma": GAMMA, "backend": backend.name}
        values = soft_dtw_loss(x, y, *lengths, step_weights=weights, reduction="none", **settings)
        torch.autograd.backward(values.sum())
        h = align(x, y, *lengths, step_weights=STEP_WEIGHTS, **settings).h
        results = (values, x.grad, h, weights.grad)
        return {
            name: torch.zeros(0) if result is None else result.detach().cpu()
            for name, result in zip(TOLERANCES, results, strict=True)
        }

    return Way(title or backend.name, device, step, may_be_absent=backend.is_optional)


def _check_presence(backend: Backend, device: torch.device) -> None:
    """Raise ImportError where a backend or its device is not here."""
    try:
        backend.check_device(device)
    except ValueError as reason:  # alone: other ones may come from a kernel that breaks
        raise ImportError(str(reason)) from None


def reference(batch: Batch) -> Results:
    """Compute the results by float64 loops, one pair after the other."""
    x, y = (side.to(torch.float64).numpy() for side in (batch.x, batch.y))
    values, h, x_grad = np.zeros(len(x)), np.zeros(x.shape[:2]), np.zeros_like(x)
    weights_grad = np.zeros(3)
    for b, (n, m) in enumerate(zip(batch.x_lengths, batch.y_lengths, strict=True)):
        x_b, y_b = x[b, :n], y[b, :m]
        C = np.logaddexp(x_b, 0.0).sum(1)[:, None] - x_b @ y_b.T  # softplus(x) - x y
        solved = solve_by_loops(C, GAMMA, STEP_WEIGHTS)
        values[b], h[b, :n] = solved.value, solved.H.sum(1)
        x_grad[b, :n] = h[b, :n, None] / (1.0 + np.exp(-x_b)) - solved.H @ y_b
        weights_grad += solved.step_weights_grad
    arrays = (values, x_grad, h, weights_grad)
    return {name: torch.from_numpy(array) for name, array in zip(TOLERANCES, arrays, strict=True)}


def differences(results: Results, expected: Results) -> dict[str, float]:
    """Return differences relative to the largest number expected; infinite for NaN and wrong shapes."""
    away = {}
    for name, truth in expected.items():
        result = results[name].to(torch.float64)
        is_number = result.shape == truth.shape and bool(result.isfinite().all())
        scale = max(1.0, float(truth.abs().max()))
        away[name] = float((result - truth).abs().max()) / scale if is_number else float("inf")
    return away


def milliseconds(way: Way, batch: Batch) -> float:
    """Return the median time of a few steps: forward, backward and the alignment."""
    way.step(batch)
    return statistics.median(_one(way, batch) for _ in range(ROUNDS))


def _one(way: Way, batch: Batch) -> float:
    if way.device.type == "cuda":
        start, end = (torch.Event(way.device, enable_timing=True) for _ in range(2))
        start.record()
        way.step(batch)
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end))
    before = time.perf_counter()
    way.step(batch)  # the results are copied to the CPU, which waits for the device
    return 1e3 * (time.perf_counter() - before)


def check(asked: Iterable[Way], say: Callable[[str], None] = print) -> int:
    """Try them all; return the exit status."""
    batches, timed = [Batch.of(*sizes) for sizes in CHECKED], Batch.of(*TIMED)
    expected = [reference(batch) for batch in batches]
    say(_line("way", "device", *TOLERANCES, "ms a step", ""))
    say(_line("tolerance", "", *(f"{tolerance:.0e}" for tolerance in TOLERANCES.values()), "", ""))
    status = 0
    for way in asked:
        try:
            each = [differences(way.step(batch), true) for batch, true in zip(batches, expected, strict=True)]
            away = {name: max(one[name] for one in each) for name in TOLERANCES}
            agrees = all(away[name] <= tolerance for name, tolerance in TOLERANCES.items())
            verdict, speed = ("agrees", f"{milliseconds(way, timed):.3g}") if agrees else ("DISAGREES", "")
        except Exception as error:
            absent = way.may_be_absent and isinstance(error, ImportError)
            reason = str(error).strip().partition("\n")[0]
            say(_line(way.name, str(way.device)) + ("not here: " if absent else "FAILED: ") + reason)
            status = status if absent else 1
            continue
        say(_line(way.name, str(way.device), *(f"{away[name]:.0e}" for name in TOLERANCES), speed, verdict))
        status = status if agrees else 1
    return status


def _line(name: str, device: str, *cells: str) -> str:
    return f"{name:<18}{device:<8}" + "".join(f"{cell:>14}" for cell in cells)


def _main() -> int:
    print(f"warplens {warplens.__version__}, torch {torch.__version__}, {platform.platform()}")
    print(f"instruction sets: {', '.join(_core.available_instruction_sets())}")
    for kind in ("cuda", "mps", "xpu"):
        present = any(device.type == kind for device in devices())
        name = (
            torch.cuda.get_device_name() if present and kind == "cuda" else "here" if present else "not here"
        )
        print(f"{kind}: {name}")
    print(f"{COST}, gamma {GAMMA:g}, weights {STEP_WEIGHTS}, B x N x M x D {CHECKED}; timed {TIMED}")
    return check(ways())


if __name__ == "__main__":
    sys.exit(_main())
