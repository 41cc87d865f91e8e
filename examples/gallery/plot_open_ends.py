"""
Parts that do not belong: open ends and drops
=============================================

A recording begins with applause, or says what is not in the text. Two members of the
family let frames go: subsequence alignment leaves out frames at both ends, Drop-DTW
leaves out any frame that matches nothing well. Frames that are left out are not
taught: their weight ``h`` is 0.
"""

import matplotlib.pyplot as plt
import numpy as np

import warplens as wl
from warplens.analysis import display

rng = np.random.default_rng(0)
text = np.eye(6)
inside = wl.expand(text, [4, 3, 5, 2, 4, 3])
noise = rng.uniform(0, 1, (8, 6))
x = np.concatenate([noise, inside[:9], noise[::-1][:5], inside[9:], noise[:6]])
x += 0.1 * rng.standard_normal(x.shape)

# %%
# Three losses on the same frames: noise at the beginning, in the middle and at the
# end. Below each alignment stands the weight of its frames.

alignments = {
    "soft DTW": wl.align(x, text, gamma=0.1),
    "open ends": wl.align(
        x, text, gamma=0.1, open_begin="x", open_end="x", skip_penalty=0.35
    ),
    "drops": wl.drop_dtw(x, text, drop=0.35, gamma=0.05),
}
fig, axes = plt.subplots(
    2, 3, figsize=(12, 5), layout="constrained", sharex=True, height_ratios=(2, 1)
)
for (name, alignment), (above, below) in zip(alignments.items(), axes.T, strict=True):
    display.alignment(alignment.H, above)
    above.set_title(name, loc="left")
    below.fill_between(np.arange(len(x)), alignment.h, step="mid")
    below.set_ylabel("weight h")
    below.set_xlabel("prediction frame n")

# %%
# Frames taught by a weight under 0.05 count as left out.

for name, alignment in alignments.items():
    print(f"{name:9}: {np.count_nonzero(alignment.h < 0.05):2} of {len(x)} left out")
