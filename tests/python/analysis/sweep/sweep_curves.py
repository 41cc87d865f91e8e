"""Sweeps with given numbers of events lost at each gamma, in all and to collapse."""

import numpy as np

from warplens.analysis.sweep.gamma_sweep import GammaSweep

GRID = (0.01, 0.1, 1.0, 10.0)


def curve(lost, collapsed=None, *, events=100, gammas=GRID):
    """A sweep that loses so many events at each gamma, so many of them to collapse."""
    n_gammas = len(gammas)
    return GammaSweep(
        gammas=np.array(gammas),
        threshold=0.5,
        frames=1000,
        events=events,
        lost=np.array(lost),
        lost_to_collapse=np.zeros(n_gammas, np.int64) if collapsed is None else np.array(collapsed),
        short_events=np.full(n_gammas, events),
        short_peaks=np.zeros(n_gammas),
        fades=np.zeros(n_gammas),
        entropy=np.zeros(n_gammas),
        judged=0,
        hits=np.zeros(n_gammas, np.int64),
        active=np.zeros(n_gammas, np.int64),
    )
