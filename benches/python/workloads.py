"""The workloads W1 to W7 and their data, made from fixed seeds."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
UNIT = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Workload:
    """Pairs of one cost; sizes are (N,M), prediction and target frames of each pair."""

    name: str
    sizes: tuple[tuple[int, int], ...]
    features: int
    cost: str = "sqeuclidean"
    gamma: float = 1.0
    step_weights: tuple[float, float, float] = UNIT
    wants_gradient: bool = True
    offset: float = 0.0
    scale: float = 1.0
    seed: int = 1

    @property
    def is_ragged(self) -> bool:
        """True where the pairs differ in size."""
        return len(set(self.sizes)) > 1

    @property
    def cells(self) -> int:
        """Sum of N*M."""
        return sum(n * m for n, m in self.sizes)

    @property
    def title(self) -> str:
        """One line: sizes, and whatever differs from the squared distance with unit weights."""
        parts = [f"{self.name} {self.shape_text}"]
        parts += [self.cost] if self.cost != "sqeuclidean" else []
        parts += [self.weights_text] if self.step_weights != UNIT else []
        parts += [] if self.wants_gradient else ["value only"]
        return ", ".join(parts)

    @property
    def shape_text(self) -> str:
        """Sizes of the batch, B x N x M x D."""
        heights, widths = zip(*self.sizes, strict=True)
        return f"{len(self.sizes)} x {_range(heights)} x {_range(widths)} x {self.features}"

    @property
    def weights_text(self) -> str:
        """Step weights: horizontal/vertical/diagonal."""
        return "/".join(f"{weight:g}" for weight in self.step_weights)

    @cached_property
    def data(self) -> tuple[list[Array], list[Array]]:
        """Predictions (N,D) and targets (M,D) of each pair."""
        random = np.random.default_rng(self.seed)
        xs, ys = [], []
        for n, m in self.sizes:
            x, y = self._pair(random, n, m)
            xs.append(x)
            ys.append(y)
        return xs, ys

    def _pair(self, random: np.random.Generator, n: int, m: int) -> tuple[Array, Array]:
        if self.cost in ("bce", "bce_logits"):  # targets with about four ones a frame
            x = random.uniform(0.01, 0.99, (n, self.features)).astype(np.float32)
            x = np.log(x / (1 - x)) if self.cost == "bce_logits" else x
            y = (random.random((m, self.features)) < 4 / self.features).astype(np.float32)
            return x, y
        x, y = (random.standard_normal((frames, self.features), np.float32) for frames in (n, m))
        scale, offset = np.float32(self.scale), np.float32(self.offset)
        return scale * x + offset, scale * y + offset

    def with_unit_weights(self) -> "Workload":
        """Return the workload with unit step weights, for implementations that have no others."""
        return replace(self, step_weights=UNIT)


def _range(sizes: tuple[int, ...]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else f"{min(sizes)}..{max(sizes)}"


def _ragged_sizes(pairs: int, shrink: int) -> tuple[tuple[int, int], ...]:
    random = np.random.default_rng(6)
    heights = random.integers(200 // shrink, 2000 // shrink, pairs, endpoint=True)
    widths = random.integers(20 // shrink, 200 // shrink, pairs, endpoint=True)
    return tuple(zip(heights.tolist(), widths.tolist(), strict=True))


def all_workloads(shrink: int = 1) -> dict[str, Workload]:
    """Return W1 to W7 by name; `shrink` divides N and M, and B by about as much, to try things out."""

    def batch(pairs: int, n: int, m: int) -> tuple[tuple[int, int], ...]:
        return ((n // shrink, m // shrink),) * max(1, pairs // shrink)

    w2 = Workload("W2", batch(32, 512, 512), 64, seed=2)
    workloads = [
        Workload("W1", batch(8, 861, 100), 88, "bce", step_weights=(0.1, 1.0, 1.0), seed=1),
        w2,
        Workload("W3", batch(16, 128, 128), 64, seed=3),
        Workload("W4", batch(16, 1024, 1024), 1, seed=4),
        Workload("W5", batch(1, 8000, 1000), 88, seed=5),
        Workload("W6", _ragged_sizes(max(4, 200 // shrink), shrink), 12, seed=6),
        replace(w2, name="W7", wants_gradient=False),
    ]
    return {workload.name: workload for workload in workloads}
