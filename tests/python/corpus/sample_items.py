"""Small items for the tests: a weak target, its frames stretched, predictions near the truth."""

import numpy as np

from warplens.io import Item


def sample_item(seed=0, *, n_targets=6, n_features=5, **known):
    """n_targets target frames, about three times as many prediction frames, float32, for bce."""
    rng = np.random.default_rng(seed)
    weak = np.zeros((n_targets, n_features), np.float32)
    weak[np.arange(n_targets), np.arange(n_targets) % n_features] = 1
    weak[:, n_features - 1] = rng.random(n_targets) < 0.5
    strong = np.repeat(weak, rng.integers(1, 6, n_targets), axis=0)
    predictions = np.clip(0.8 * strong + 0.2 * rng.random(strong.shape), 0.01, 0.99).astype(np.float32)
    return Item(
        predictions, weak, **{"strong": strong, "fps": 10.0, "lowest_pitch": 60, "cost": "bce", **known}
    )


def save_item(path, item):
    """Write an item as npz, its unknown fields left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: value for key, value in vars(item).items() if value is not None})


def save_corpus(folder, n_items=3):
    """Items a, b, ... in a folder; the second one in a folder of its own."""
    for i in range(n_items):
        name = chr(ord("a") + i)
        save_item(folder / ("deep/er" if i == 1 else "") / f"{name}.npz", sample_item(i, n_targets=4 + 2 * i))
    return folder
