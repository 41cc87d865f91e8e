"""Many items: finding them, running them, keeping what came out, in the extra `corpus`."""

from typing import TYPE_CHECKING

from warplens._lazily import lazily

if TYPE_CHECKING:
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
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "attempt": ("EngineError",),
            "collecting": ("Collected", "collect"),
            "item_file": ("item_path", "read_analysis"),
            "item_work": ("Outcome",),
            "progress": ("Finished", "Progress"),
            "run": ("Run", "analyze"),
            "settings": ("Settings",),
            "shard": ("Shard",),
            "sources": ("InputError", "Source"),
            "sweep_run": ("SweepRun", "sweep"),
            "sweep_work": ("SweepOutcome",),
        },
    )

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
