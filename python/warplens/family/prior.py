"""The beta-binomial prior of forward-sum aligners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warplens._numbers import as_count, as_number


def beta_binomial_prior(
    N: int, M: int, *, scaling: float = 1.0, trials: int | None = None
) -> NDArray[np.float64]:
    r"""Return log-probabilities (N,M) that favour the diagonal: token m at frame n, for `forward_sum`.

    Row n = 0..N-1 is the beta-binomial distribution over m = 0..M-1 with k trials,

    .. math::
        p(m \mid n) = \binom{k}{m} \frac{B(m + a,\; k - m + b)}{B(a, b)},\qquad
        a = s\,(n + 1),\quad b = s\,(N - n),

    B being the beta function and s the scaling (Shih et al. 2021). The published codes (FastPitch, NeMo,
    RAD-TTS) take k = M trials, so that a row sums to less than 1; k = M - 1 is the proper distribution.

    Args:
        N: the number of frames.
        M: the number of tokens.
        scaling: s, above 0; the larger, the narrower.
        trials: k; None is M, as published.

    Returns:
        (N,M) float64; -inf where m > k.

    Raises:
        ValueError: sizes below 1, a scaling that is not above 0, trials below 0.
    """
    frames, tokens = as_count("N", N), as_count("M", M)
    k = tokens if trials is None else as_count("trials", trials, least=0)
    s = as_number("scaling", scaling, above_zero=True)
    a = s * np.arange(1, frames + 1)[:, np.newaxis]
    b = a[::-1]
    counts = np.arange(k)
    # B(m + a, k - m + b) / B(a, b) is a product of rising factorials a (a+1) ... over those of a + b.
    rising_a, rising_b = (_sums_before(np.log(start + counts)) for start in (a, b))
    whole = np.log(s * (frames + 1) + counts).sum()
    log_factorials = _sums_before(np.log(counts + 1.0))
    chosen = log_factorials[-1] - log_factorials - log_factorials[::-1]
    known = chosen + rising_a + rising_b[:, ::-1] - whole
    prior = np.full((frames, tokens), -np.inf)
    inside = min(tokens, k + 1)
    prior[:, :inside] = known[:, :inside]
    return prior


def _sums_before(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sums of the first 0, 1, ... entries along the last axis."""
    zeros = np.zeros((*logs.shape[:-1], 1))
    return np.concatenate([zeros, np.cumsum(logs, axis=-1)], axis=-1)
