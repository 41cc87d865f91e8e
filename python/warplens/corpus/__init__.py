"""Many items: collect them, run them, write their results (extra `corpus`)."""

from warplens.analysis.losses.options import Loss
from warplens.corpus.analyze import Run, analyze
from warplens.corpus.compare import Comparison, compare
from warplens.corpus.inputs.collect import Collected, collect
from warplens.corpus.inputs.shard import Shard
from warplens.corpus.inputs.source import InputError, Source
from warplens.corpus.item_work import Outcome
from warplens.corpus.progress import Finished, Progress
from warplens.corpus.results.item_file import item_path, read_analysis
from warplens.corpus.settings import Settings
from warplens.corpus.stored_results import StoredResults, read_results
from warplens.corpus.sweep import SweepRun, sweep
from warplens.corpus.sweep_work import SweepOutcome
from warplens.corpus.workers.attempt import EngineError

__all__ = [
    "Collected",
    "Comparison",
    "EngineError",
    "Finished",
    "InputError",
    "Loss",
    "Outcome",
    "Progress",
    "Run",
    "Settings",
    "Shard",
    "Source",
    "StoredResults",
    "SweepOutcome",
    "SweepRun",
    "analyze",
    "collect",
    "compare",
    "item_path",
    "read_analysis",
    "read_results",
    "sweep",
]
