"""Levels of events and measures of a soft alignment, from their definitions."""

import numpy as np


def event_levels(H_tilde, weak, events):
    """e(n) = sum_{a <= m < b} H~(n,m) y(m,d) of K events [a, b) of feature d, (K, N)."""
    levels = np.empty((len(events), len(H_tilde)))
    for level, d, a, b in zip(levels, events.feature, events.start, events.stop, strict=True):
        level[:] = H_tilde[:, a:b].astype(np.float64) @ weak[a:b, d].astype(np.float64)
    return levels


def diagonal_distance(path, n_targets):
    """1/N sum_n |path(n) - (M-1) n / (N-1)| / (M-1), n from 0; 0 if M = 1, from the middle if N = 1."""
    if n_targets == 1:
        return 0.0
    n_frames = len(path)
    diagonal = np.arange(n_frames) / (n_frames - 1) if n_frames > 1 else np.array([0.5])
    return np.abs(path / (n_targets - 1) - diagonal).mean()


def share_of_collapsed_targets(masses):
    """Share of the targets m with sum_n H~(n,m) < 1/2, masses (M,)."""
    return np.mean(masses < 0.5)


def share_on_empty_targets(masses, weak):
    """(1/N) sum_n sum_{m: y(m,.) = 0} H~(n,m), masses (M,)."""
    return masses[~weak.any(axis=1)].sum() / masses.sum()
