"""Predictions as levels, to be seen and heard beside their targets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def predicted_levels(predictions: NDArray[Any], cost: str) -> NDArray[Any]:
    """Predictions on the scale of their targets: logits become probabilities, log-rates rates."""
    if cost == "bce_logits":
        return np.asarray(0.5 * (1 + np.tanh(predictions / 2)))
    if cost == "ce_logits":
        odds = np.exp(predictions - predictions.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))
    if cost == "poisson_log":
        return np.asarray(np.exp(predictions))
    return predictions
