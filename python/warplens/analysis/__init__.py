"""What a soft alignment teaches: events of the weak target, how strongly each is taught, and measures of it.

NumPy alone is needed, but for measures of notes, which need the extra `analysis`.
"""

from typing import TYPE_CHECKING

from warplens._lazily import lazily

if TYPE_CHECKING:
    from warplens.analysis.events import (
        Events,
        event_levels,
        find_events,
        measure_alignment,
        summarize_levels,
    )
    from warplens.analysis.gamma_choice import GammaChoice, choose_gamma
    from warplens.analysis.gamma_sweep import GammaSweep, pool
    from warplens.analysis.item_analysis import ItemAnalysis, analyze_item
    from warplens.analysis.item_sweep import sweep_item
    from warplens.analysis.levels import EventLevels
    from warplens.analysis.marginals import Marginals
    from warplens.analysis.metrics import evaluate
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "events": (
                "Events",
                "event_levels",
                "find_events",
                "measure_alignment",
                "summarize_levels",
            ),
            "gamma_choice": ("GammaChoice", "choose_gamma"),
            "gamma_sweep": ("GammaSweep", "pool"),
            "item_analysis": ("ItemAnalysis", "analyze_item"),
            "item_sweep": ("sweep_item",),
            "levels": ("EventLevels",),
            "marginals": ("Marginals",),
            "metrics": ("evaluate",),
        },
    )

__all__ = [
    "EventLevels",
    "Events",
    "GammaChoice",
    "GammaSweep",
    "ItemAnalysis",
    "Marginals",
    "analyze_item",
    "choose_gamma",
    "evaluate",
    "event_levels",
    "find_events",
    "measure_alignment",
    "pool",
    "summarize_levels",
    "sweep_item",
]
