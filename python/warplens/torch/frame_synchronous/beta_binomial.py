"""The beta-binomial prior of forward-sum aligners, for a batch of items of their own lengths."""

import torch
from torch import Tensor

from warplens.torch.inputs.batches import widest_dtype


def beta_binomial_priors(
    x_lengths: Tensor, y_lengths: Tensor, frames: int, tokens: int, *, scaling: float, proper: bool
) -> Tensor:
    """Return log-probabilities (B,N,M) in float64 where the device has it; finite outside of an item.

    Row n = 0..N-1 of an item is the beta-binomial distribution over m = 0..M-1 with k trials,

        log p(m | n) = log( (k over m) B(m + a, k - m + b) / B(a, b) ),  a = s (n + 1),  b = s (N - n),

    where k is M, as in the published codes, or M - 1 if `proper`. The logarithms of gamma functions that it
    is made of are those of one table for all items.
    """
    device, exact = x_lengths.device, widest_dtype(x_lengths.device)
    n = torch.arange(frames, device=device)
    m = torch.arange(tokens, device=device)
    # table(i,j) = log Gamma(s (i+1) + j)
    starts = scaling * (n + 1).to(exact)[:, None]
    table = torch.lgamma(starts + torch.arange(tokens + 1, device=device))
    N, M = x_lengths[:, None], y_lengths[:, None]
    trials = M - 1 if proper else M  # (B,1)
    left = (trials - m).clamp(min=0)  # (B,M)
    after = (N - 1 - n).clamp(min=0)  # (B,N)
    factorials = torch.lgamma(torch.arange(tokens + 2, device=device).to(exact) + 1)
    of_tokens = factorials[trials] - factorials[m] - factorials[left]
    whole = scaling * (N + 1).to(exact)
    of_items = torch.lgamma(whole) - torch.lgamma(whole + trials)
    of_frames = of_items - table[:, 0] - table[:, 0][after]
    # Whole rows first: to index rows and columns at once takes several times as long.
    prior = table[after].gather(2, left[:, None].expand(-1, frames, -1))
    for part in (table[:, :tokens], of_tokens[:, None], of_frames[:, :, None]):
        prior += part
    return prior
