"""Analysis of soft alignments: events of the weak target, their levels in the modified target, and measures.

Importing this needs NumPy alone; the report (`warplens.analysis.report`) needs the extra `analysis`.
"""

from warplens.analysis.accumulated_costs import accumulated_costs
from warplens.analysis.events import (
    Events,
    find_events,
    measure_alignment,
    summarize_levels,
)
from warplens.analysis.item_analysis import ItemAnalysis, analyze_item
from warplens.analysis.levels import EventLevels
from warplens.analysis.marginals import Marginals
from warplens.analysis.metrics import evaluate
from warplens.analysis.sweep.gamma_choice import GammaChoice, choose_gamma
from warplens.analysis.sweep.gamma_sweep import GammaSweep, pool
from warplens.analysis.sweep.item_sweep import sweep_item

__all__ = [
    "EventLevels",
    "Events",
    "GammaChoice",
    "GammaSweep",
    "ItemAnalysis",
    "Marginals",
    "accumulated_costs",
    "analyze_item",
    "choose_gamma",
    "evaluate",
    "find_events",
    "measure_alignment",
    "pool",
    "summarize_levels",
    "sweep_item",
]
