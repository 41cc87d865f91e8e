"""
Figure 2: what a loss teaches a network that is already right
=============================================================

Seventeen prediction frames, six target frames. The predictions are perfect, and still
soft DTW with a gamma of 1 teaches the network to lose its short events: their level
in the modified targets ``Y_mod`` falls to 0.5 and below. That is the lesson of Figure
2 of Zeitler & Müller (ISMIR 2025).
"""

# %%
# The item
# --------
# Target frames 0, a, 0, b, 0, c, of which the events a, b and c last 2, 1 and 5
# frames. ``weak`` says what comes in which order, ``strong`` also when.

import numpy as np

import warplens as wl
from warplens.analysis import display
from warplens.io import Item

weak = np.zeros((6, 12))
weak[[1, 3, 5], [2, 5, 8]] = 1.0
strong = wl.expand(weak, [3, 2, 3, 1, 3, 5])
item = Item(predictions=strong, weak=weak, strong=strong, cost="mse")

# %%
# At gamma 1
# ----------
# Each row of the soft alignment is spread over several target frames. The event of a
# single frame is averaged with the silence on both sides of it and peaks at 0.41, the
# one of five frames at 0.98.

display.figure2(item, gamma=1.0)

# %%
# At gamma 0.1
# ------------
# The alignment is sharp, and the modified targets are the strong targets.

display.figure2(item, gamma=0.1)

# %%
# The same in numbers
# -------------------

for gamma in (0.01, 0.1, 1.0, 10.0):
    y_mod = wl.align(strong, weak, cost="mse", gamma=gamma).y_mod
    print(f"gamma {gamma:5}: peaks of a, b, c {y_mod.max(axis=0)[[2, 5, 8]].round(3)}")
