"""
Bands: where a path may go
==========================

A band keeps warping paths near the diagonal. It costs less time, and it is a
statement about the data: no tempo strays farther than that. Cells outside it are not
computed, and ``H`` is exactly 0 there.
"""

import matplotlib.pyplot as plt
import numpy as np

import warplens as wl
from warplens.analysis import display

rng = np.random.default_rng(1)
score = np.tile(
    rng.standard_normal((12, 8)), (5, 1)
)  # a phrase of 12 frames, five times
x = wl.expand(score, rng.integers(1, 4, 60))
x += 2.0 * rng.standard_normal(x.shape)

# %%
# The Sakoe-Chiba band is a stripe along the diagonal, its radius counted in frames of
# the longer sequence. The Itakura parallelogram limits how far the tempo strays from
# its mean. Under much noise and a large gamma the alignment tries many paths, and the
# score repeats a phrase: without a band some of them stray into the next repetition.

bands = {
    "no band": None,
    "Sakoe-Chiba, radius 12": wl.SakoeChiba(12),
    "Itakura, slope 3": wl.Itakura(3),
}
fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
for (name, band), ax in zip(bands.items(), axes, strict=True):
    alignment = wl.align(x, score, gamma=60.0, band=band)
    display.alignment(
        alignment.H_tilde, ax, path=alignment.path().indices, limits=(0.0, 0.25)
    )
    ax.set_title(f"{name}: {alignment.value:.1f}", loc="left")

# %%
# The value can only rise when paths are taken away. A band that leaves no path at all
# says how wide it has to be:

try:
    wl.align(np.zeros((9, 2)), np.zeros((4, 2)), band=wl.SakoeChiba(0.5))
except wl.NoPathError as error:
    print(error)
