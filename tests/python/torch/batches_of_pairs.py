"""Random batches, and the backends that must agree on them."""

import torch

BACKENDS = ("core", "ops")


def random_batch(cost, B=3, N=6, M=4, D=3, *, seed=0, dtype=torch.float64):
    """Return x (B,N,D) and y (B,M,D) well inside the domain of the cost."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(B, N, D, generator=generator, dtype=torch.float64) * 0.8 + 0.1
    y = torch.rand(B, M, D, generator=generator, dtype=torch.float64) * 0.8 + 0.1
    if cost not in ("bce", "ce", "poisson"):
        x = 4.0 * x - 2.0
    return x.to(dtype), y.to(dtype)
