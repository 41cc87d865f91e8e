"""Gradients by central differences."""

import numpy as np


def gradient(function, at, step=1e-5):
    """df/dx at an array or a number, (f(x + s) - f(x - s)) / 2s entry by entry."""
    at = np.asarray(at, dtype=np.float64)
    slopes = np.empty_like(at)
    for index in np.ndindex(at.shape):
        high, low = at.copy(), at.copy()
        high[index] += step
        low[index] -= step
        slopes[index] = (function(high) - function(low)) / (2 * step)
    return slopes
