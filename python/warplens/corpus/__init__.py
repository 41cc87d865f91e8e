"""Many items: finding them, running them, keeping what came out, in the extra `corpus`."""

from warplens.corpus.attempt import EngineError
from warplens.corpus.collecting import Collected, collect
from warplens.corpus.item_file import item_path, read_analysis
from warplens.corpus.item_work import Outcome
from warplens.corpus.progress import Finished, Progress
from warplens.corpus.run import Run, analyze
from warplens.corpus.settings import Settings
from warplens.corpus.shard import Shard
from warplens.corpus.sources import InputError, Source
from warplens.corpus.sweep_run import SweepRun, sweep
from warplens.corpus.sweep_work import SweepOutcome

__all__ = [
    "Collected",
    "EngineError",
    "Finished",
    "InputError",
    "Outcome",
    "Progress",
    "Run",
    "Settings",
    "Shard",
    "Source",
    "SweepOutcome",
    "SweepRun",
    "analyze",
    "collect",
    "item_path",
    "read_analysis",
    "sweep",
]
