"""Features of a recording that is noise, with notes at random."""

import numpy as np
from studies.mpe.inputs.features import Features


def some_features(seed=0, frames=400, measures=None):
    rng = np.random.default_rng(seed)
    roll = np.zeros((frames, 88), np.uint8)
    for first in range(3, frames - 12, 5):
        roll[first : first + rng.integers(1, 10), rng.integers(20, 60)] = 1
    mel = rng.normal(size=(frames, 229)).astype(np.float32)
    return Features(f"{seed}", "work", "tones", mel, roll, measures)
