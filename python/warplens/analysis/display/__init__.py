"""Pictures of soft alignments and modified targets; needs the extra `display`.

Every drawing function takes and returns axes (`ax=None` makes a figure of its own, `ax.figure`), those named
figure return a `matplotlib.figure.Figure`. None of them touches the state of `matplotlib.pyplot`.
"""

from warplens.analysis.display.colors import cost_bar, level_bar
from warplens.analysis.display.curves import magnitude_over_duration, row_sums, sweep_curves, sweep_figure
from warplens.analysis.display.figure2 import figure2
from warplens.analysis.display.figure5 import figure5
from warplens.analysis.display.item_figures import (
    alignments_figure,
    events_figure,
    save_figure,
    targets_figure,
    write_figures,
)
from warplens.analysis.display.matrices import accumulated_cost, alignment, cost_matrix
from warplens.analysis.display.piano_roll import mark_event, piano_roll
from warplens.analysis.display.roll_grid import roll_grid
from warplens.analysis.display.which_loss import which_loss

__all__ = [
    "accumulated_cost",
    "alignment",
    "alignments_figure",
    "cost_bar",
    "cost_matrix",
    "events_figure",
    "figure2",
    "figure5",
    "level_bar",
    "magnitude_over_duration",
    "mark_event",
    "piano_roll",
    "roll_grid",
    "row_sums",
    "save_figure",
    "sweep_curves",
    "sweep_figure",
    "targets_figure",
    "which_loss",
    "write_figures",
]
