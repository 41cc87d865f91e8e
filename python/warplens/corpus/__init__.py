"""Many items: finding them, running them, keeping what came out, in the extra `corpus`."""

from warplens.corpus.item_file import item_path, read_analysis
from warplens.corpus.progress import Finished, Progress
from warplens.corpus.run import Outcome, Run, analyze
from warplens.corpus.settings import Settings
from warplens.corpus.sources import InputError, Source, collect

__all__ = [
    "Finished",
    "InputError",
    "Outcome",
    "Progress",
    "Run",
    "Settings",
    "Source",
    "analyze",
    "collect",
    "item_path",
    "read_analysis",
]
