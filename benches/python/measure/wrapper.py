"""The cost of PyTorch: a training step of the loss beside the NumPy call that does the same work."""

from collections.abc import Callable
from typing import Any

from ..contenders.ours import NUMPY, OURS
from ..workloads import Workload
from .race import race


def step_against_numpy(
    workload: Workload, rounds: int, progress: Callable[[str], None]
) -> dict[str, Any] | None:
    """Return median seconds of a step, of `align_many`, and their ratio; None where one is wrong."""
    _, (step, call) = race(workload, [OURS, NUMPY], rounds, progress)
    if step.seconds is None or call.seconds is None:
        return None
    return {
        "title": workload.title,
        "torch_seconds": step.seconds.median,
        "numpy_seconds": call.seconds.median,
        "ratio": step.seconds.median / call.seconds.median,
    }
