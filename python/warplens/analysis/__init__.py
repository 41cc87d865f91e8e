"""What a soft alignment teaches: events of the weak target, how strongly each is taught, and measures of it.

Importing this needs NumPy alone; the report (`warplens.analysis.report`) needs the extra `analysis`.
"""

from warplens.analysis.events import (
    EventLevels,
    Events,
    event_levels,
    find_events,
    measure_alignment,
    summarize_levels,
)
from warplens.analysis.item_analysis import ItemAnalysis, analyze_item
from warplens.analysis.marginals import Marginals
from warplens.analysis.metrics import evaluate

__all__ = [
    "EventLevels",
    "Events",
    "ItemAnalysis",
    "Marginals",
    "analyze_item",
    "evaluate",
    "event_levels",
    "find_events",
    "measure_alignment",
    "summarize_levels",
]
