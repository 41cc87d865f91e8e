"""Draw one short melody under six alignment losses: what each of them would teach.

The score has two notes before and one behind what was recorded, and amid the recording another player is
heard, whose notes are not in the score. Needs the extra `display`:

    python examples/which_loss.py which-loss.png
"""

import sys
from pathlib import Path

import numpy as np

from warplens.analysis.display import save_figure, which_loss
from warplens.io import LabelItem

FPS = 25.0
NAMES = ("blank", "C4", "D4", "E4", "F4", "G4", "A4", "B4")
PLAYED = ((1, 10), (3, 8), (5, 14), (0, 4), (6, 3), (5, 9), (7, 16), (4, 6), (4, 0), (2, 14), (3, 9))
"""Class and frames of each note that is heard; the one of class 7 is no note of the score."""
BEFORE, BEHIND = (4, 2), (6,)


def melody(seed: int = 2) -> LabelItem:
    """Return log-probabilities of a network that has begun to learn, labels and the class of each frame."""
    rng = np.random.default_rng(seed)
    strong = np.concatenate([np.full(frames, note) for note, frames in PLAYED])
    logits = 0.5 * rng.standard_normal((len(strong), len(NAMES)))
    logits[:, 0] += 3.0  # blanks are everywhere: the network is sure of onsets alone
    begins = np.flatnonzero(np.diff(strong, prepend=-1))
    age = np.arange(len(strong)) - np.repeat(begins, np.diff([*begins, len(strong)]))
    sounding = strong > 0
    logits[sounding, strong[sounding]] += 2.4 + 2.6 * np.exp(-age[sounding] / 2)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    heard = [note for note, frames in PLAYED if frames and note not in (0, 7)]
    return LabelItem(
        logits,
        labels=np.array([*BEFORE, *heard, *BEHIND]),
        strong=np.where(strong == 7, 0, strong),
        label_names=NAMES,
        fps=FPS,
    )


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("which-loss.png")
    save_figure(out, which_loss(melody()))
