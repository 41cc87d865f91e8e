"""
Choosing gamma
==============

A large gamma blurs short events until they are lost; a very small one collapses
alignments onto the first path that looks good. In between lies a range, and it can be
measured before any training: align at a grid of gammas, and see which events keep
their level.
"""

import numpy as np

from warplens.analysis import choose_gamma, display, sweep_item
from warplens.demo.piece import compose
from warplens.demo.piece_item import piece_item
from warplens.demo.synthesis import synthesize

# %%
# The piece of ``warplens demo``: some staccato, some sustained notes, synthesised,
# with the salience of pitches in the place of a network's predictions.

piece = compose()
item = piece_item(piece, synthesize(piece))
sweep = sweep_item(
    item, gammas=np.geomspace(0.01, 100, 13), cost="bce", step_weights=(0.1, 1.0, 1.0)
)
choice = choose_gamma(sweep)
print(choice.reason)

# %%
# The curves over gamma: the share of events that keep half their level, how strong
# the short ones are, the blur of onsets and offsets, and, as the true timing is known
# here, the F-measure of the modified targets.

display.sweep_figure(
    sweep.gammas,
    kept=sweep.kept,
    short_event_peak=sweep.short_event_peak,
    f_measure=sweep.f_measure,
    blur=sweep.blur,
    recommended=choice.gamma,
    share=0.95,
)
