"""Batches of cost matrices with random models, and what the NumPy functions say of each pair."""

from dataclasses import dataclass

import numpy as np
import torch

import warplens as wl
import warplens.torch as wlt

LENGTHS = ([6, 5, 3, 1], [4, 2, 4, 3])
SIZES = ((1, 1), (1, 0), (0, 1), (2, 1), (1, 3), (1, 0))


@dataclass
class Parameters:
    """Tensors of a model, each as its test may ask gradients of it."""

    C: torch.Tensor
    gamma: torch.Tensor
    weights: list
    penalties: list
    entry: torch.Tensor
    exit: torch.Tensor
    entry_weight: torch.Tensor
    exit_weight: torch.Tensor

    def tensors(self):
        """All of them, flat."""
        ends = (self.entry, self.exit, self.entry_weight, self.exit_weight)
        return [self.C, self.gamma, *self.weights, *self.penalties, *ends]

    def of(self, tensors):
        """Return the same with other tensors."""
        C, gamma, *rest = tensors
        S = len(self.weights)
        return Parameters(C, gamma, rest[:S], rest[S : 2 * S], *rest[2 * S :])

    def loss(self, lengths=(None, None), **options):
        """Return the values (B,)."""
        steps = [
            wl.Step(*size, w, b) for size, w, b in zip(SIZES, self.weights, self.penalties, strict=False)
        ]
        return wlt.soft_dtw_from_costs(
            self.C,
            *lengths,
            gamma=self.gamma,
            steps=steps,
            entry=self.entry,
            exit=self.exit,
            entry_weight=self.entry_weight,
            exit_weight=self.exit_weight,
            reduction="none",
            **options,
        )

    def aligned(self, b, n, m):
        """Return the alignment of one pair by the NumPy function."""

        def of_pair(tensor):
            array = tensor.detach().numpy()
            if array.ndim == 0:
                return float(array)
            return array[b if len(array) > 1 else 0, :n, :m] if array.ndim == 3 else array[:n, :m]

        steps = [
            wl.Step(*size, of_pair(w), of_pair(p))
            for size, w, p in zip(SIZES, self.weights, self.penalties, strict=False)
        ]
        return wl.align_costs(
            of_pair(self.C),
            gamma=self.gamma.item(),
            steps=steps,
            entry=of_pair(self.entry),
            exit=of_pair(self.exit),
            entry_weight=of_pair(self.entry_weight),
            exit_weight=of_pair(self.exit_weight),
        )


def random_parameters(seed, B=4, N=6, M=4, steps=6, *, inf=0.1, dtype=torch.float64):
    """Return a model whose parameters have all shapes, some of them forbidding."""
    generator = np.random.default_rng(seed)
    shapes = [(), (N, 1), (1, M), (N, M), (B, N, 1), (B, 1, M), (B, N, M), (B, 1, 1), (1, N, M)]

    def draw(least, most, forbids):
        shape = shapes[generator.integers(len(shapes))]
        values = least + (most - least) * generator.random(shape)
        if forbids:
            values = np.where(generator.random(shape) < inf, np.inf, values)
        return torch.tensor(values).requires_grad_()

    C = 4 * generator.random((B, N, M)) - 1
    C[generator.random(C.shape) < 0.5 * inf] = np.inf
    return Parameters(
        torch.tensor(C, dtype=dtype).requires_grad_(),
        torch.tensor(float(generator.choice([0.1, 0.7, 3.0])), dtype=torch.float64).requires_grad_(),
        [draw(0, 2, False) for _ in range(steps)],
        [draw(-1, 2, True) for _ in range(steps)],
        draw(-1, 2, True),
        draw(-1, 2, True),
        draw(0, 2, False),
        draw(0, 2, False),
    )
