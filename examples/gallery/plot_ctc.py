"""
CTC seen: what it teaches, and its forced alignment
===================================================

Connectionist temporal classification is an alignment loss like soft DTW, with blanks
between the labels and its own steps. So it has the same lens: the occupancy of each
class, frame by frame, is the target that it teaches.
"""

import matplotlib.pyplot as plt
import numpy as np

import warplens as wl

# %%
# A network listens to "h e l l o" and gives log-probabilities of a blank and four
# letters. It is unsure at first.

classes = ["blank", "h", "e", "l", "o"]
labels = np.array([1, 2, 3, 3, 4])
rng = np.random.default_rng(2)
said = np.array([0, 1, 1, 0, 2, 2, 2, 0, 3, 3, 0, 3, 0, 4, 4, 4, 4, 0])
logits = 1.2 * np.eye(5)[said] + 0.5 * rng.standard_normal((len(said), 5))
log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

spoken = wl.ctc(log_probs, labels)
print(spoken)
print(f"P(labels) = {np.exp(-spoken.value):.2e}")

# %%
# The gradient in the logits is softmax minus ``y_mod``: what the network says, minus
# what CTC wants to hear.

fig, axes = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained", sharey=True)
panels = {"the network says": np.exp(log_probs), "CTC teaches: y_mod": spoken.y_mod}
for (name, levels), ax in zip(panels.items(), axes, strict=False):
    ax.imshow(levels.T, vmin=0, vmax=1, cmap="magma", aspect="auto")
    ax.set_title(name, loc="left")
    ax.set_yticks(range(5), classes)
    ax.set_xlabel("frame")
axes[2].imshow(
    (np.exp(log_probs) - spoken.y_mod).T, vmin=-1, vmax=1, cmap="RdBu", aspect="auto"
)
axes[2].set_title("gradient in the logits", loc="left")
axes[2].set_xlabel("frame")

# %%
# Softness
# --------
# At ``gamma=1`` the value is -log P. A smaller gamma trusts the most probable
# alignment more, a larger one spreads. The expected duration of each label is the sum
# of its column of ``H``.

letters = spoken.expanded != 0
for gamma in (0.1, 1.0, 5.0):
    durations = wl.ctc(log_probs, labels, gamma=gamma).visits[letters]
    print(f"gamma {gamma:3}: frames of h e l l o {durations.round(1)}")

# %%
# The path is the forced alignment: which label is spoken when.

path = spoken.path().indices
print("".join(".helo"[k] for k in spoken.expanded[path[:, 1]]))
