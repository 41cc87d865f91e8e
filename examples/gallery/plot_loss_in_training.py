"""
A loss in training: gamma decides what is learned
=================================================

A linear network sees twelve classes under noise and is told their order alone. The
classes last 12, 1 and 6 frames in turn. We train it by soft DTW with three constant
gammas and look at what it predicts in the end, beside what the loss taught it.
"""

import matplotlib.pyplot as plt
import torch

from warplens.analysis import display
from warplens.torch import SoftDTWLoss, align

order = torch.eye(12)  # the weak target: class after class
strong = order.repeat_interleave(torch.tensor([12, 1, 6] * 4), dim=0)  # (76,12)
noise = torch.randn(strong.shape, generator=torch.manual_seed(4))
spectra = strong + 0.3 * noise

# %%
# Training is that of any other loss. ``SoftDTWLoss("bce_logits")`` takes logits (N,D)
# and targets (M,D), or batches of them with their lengths.


def train(gamma: float, steps: int = 300) -> torch.nn.Linear:
    """Return a network that was trained from one and the same start."""
    torch.manual_seed(0)
    network = torch.nn.Linear(12, 12)
    loss_fn = SoftDTWLoss("bce_logits", gamma=gamma)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_fn(network(spectra), order).backward()
        optimizer.step()
    return network


# %%
# The lens
# --------
# ``align`` with the settings of the loss gives the modified targets: the strong
# targets that would have the same gradient, frame by frame. Where an event is missing
# from them, the network cannot learn it.

gammas = (0.3, 3.0, 30.0)
fig, axes = plt.subplots(len(gammas), 2, figsize=(10, 7), layout="constrained")
for gamma, (left, right) in zip(gammas, axes, strict=True):
    logits = train(gamma)(spectra).detach()
    taught = align(logits, order, cost="bce_logits", gamma=gamma)
    display.piano_roll(logits.sigmoid().numpy(), left)
    left.set_title(f"predictions, gamma {gamma:g}", loc="left")
    display.piano_roll(taught.y_mod.numpy(), right)
    right.set_title("modified targets", loc="left")

# %%
# A small gamma takes sides early, for better or worse: it believes the alignment it
# starts with. A large one never takes sides. ``warplens.training`` watches this while
# a network trains, and ``TargetDrivenGamma`` lowers gamma when the modified targets
# ask for it.
