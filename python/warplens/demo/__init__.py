"""Data that shows what the lens is for: music, made from notes to predictions, and the paper's Figure 2."""

from warplens.demo.run import Demo, run_demo
from warplens.demo.summary import describe

__all__ = ["Demo", "describe", "run_demo"]
