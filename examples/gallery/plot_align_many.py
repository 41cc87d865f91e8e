"""
Many pairs at once: a small corpus
==================================

``align_many`` aligns pairs of any lengths, on all cores, and returns them in order.
Here a corpus of 40 recordings is made, aligned and measured; for files on disk there
is the command ``warplens analyze``.
"""

import matplotlib.pyplot as plt
import numpy as np

import warplens as wl
from warplens.analysis import find_events, summarize_levels
from warplens.analysis.display import magnitude_over_duration

rng = np.random.default_rng(0)


def recording() -> tuple[np.ndarray, np.ndarray]:
    """Make predictions (N,24) of a sure network, and their weak target (M,24)."""
    n_notes = int(rng.integers(10, 30))
    weak = np.zeros((2 * n_notes, 24))
    weak[np.arange(0, 2 * n_notes, 2), rng.integers(0, 24, n_notes)] = (
        1.0  # a note, then silence
    )
    strong = wl.expand(weak, np.rint(2 ** rng.uniform(0, 6, 2 * n_notes)).astype(int))
    return np.clip(
        0.05 + 0.85 * strong + 0.05 * rng.standard_normal(strong.shape), 0.01, 0.99
    ), weak


xs, ys = zip(*(recording() for _ in range(40)), strict=True)
print(f"{len(xs)} recordings of {min(map(len, xs))} to {max(map(len, xs))} frames")

# %%
# One call for each gamma. The results do not depend on the number of threads.

gammas = (0.1, 1.0, 3.0)
durations, peaks = [], []
for gamma in gammas:
    alignments = wl.align_many(
        xs, ys, cost="bce", gamma=gamma, step_weights=(0.1, 1.0, 1.0)
    )
    levels = [
        summarize_levels(alignment.H_tilde, y, find_events(y))
        for alignment, y in zip(alignments, ys, strict=True)
    ]
    durations.append(np.concatenate([level.duration for level in levels]))
    peaks.append(np.concatenate([level.peak for level in levels]))

# %%
# Every dot is a note of the corpus: the highest level that it reaches in the modified
# targets, over how long the alignment takes it to last. At gamma 3 the short notes
# fade, the long ones stay, and short ones are taken for longer than they are.

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
magnitude_over_duration(np.array(durations), np.array(peaks), ax, gammas=gammas)

# %%
# A pair that cannot be aligned costs none of the others its result:
# ``errors="return"`` puts the exception into its place.

broken = [*xs[:2], np.full((5, 24), np.nan)]
results = wl.align_many(broken, ys[:3], cost="bce", errors="return")
print(
    *(
        result if isinstance(result, wl.Alignment) else f"error: {result}"
        for result in results
    ),
    sep="\n",
)
