"""The paper's Figure 2 (Zeitler & Mueller, ISMIR 2025): events of 2, 1 and 5 frames between silent frames."""

import numpy as np

import warplens as wl
from warplens.io import Item

DURATIONS = (3, 2, 3, 1, 3, 5)
"""Frames for which the six target frames 0, a, 0, b, 0, c last."""

EVENT_FEATURES = (2, 5, 8)
"""Features of a, b and c."""


def figure_2() -> Item:
    """Return the example as an item: predictions that are already right, (17, 12), and weak target, (6, 12).

    Under the MSE with unit step weights the peaks of a, b and c are .519, .408 and .977 at gamma 1, and .987,
    .986 and 1.000 at gamma 0.1: even a network that is right is taught to lose the short events.
    """
    weak = np.zeros((6, 12))
    weak[[1, 3, 5], EVENT_FEATURES] = 1.0
    strong = wl.expand(weak, np.array(DURATIONS))
    return Item(strong, weak, strong, cost="mse", step_weights=(1.0, 1.0, 1.0))
