"""What is imported when: nothing that a process has no use for."""

import subprocess
import sys

import pytest


def imported_by(code):
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_a_shard_imports_neither_the_report_nor_what_few_runs_need():
    imported = imported_by("import warplens.corpus")
    assert "warplens.analysis.item_analysis" in imported
    assert not {"warplens.analysis.report", "warplens.analysis.sonify", "jinja2", "PIL"} & imported
    assert not {"concurrent.futures", "pyarrow", "matplotlib"} & imported


def test_a_command_imports_what_it_runs_alone():
    pytest.importorskip("click")
    imported = imported_by("from warplens.cli.commands import warplens; import warplens.cli.analyze")
    for module in ("cli.sweep", "cli.demo", "demo", "analysis.report"):
        assert f"warplens.{module}" not in imported
    assert not {"rich.console", "pyarrow", "matplotlib", "importlib.metadata"} & imported


def test_no_item_imports_the_masked_arrays_of_numpy():
    imported = imported_by(
        """
import numpy as np
from warplens.analysis import analyze_item, sweep_item
from warplens.io import make_item
x = np.random.default_rng(0).uniform(0.1, 0.9, (9, 4))
item = make_item({"predictions": x, "weak": x[::3] > 0.5, "strong": x > 0.5})
analyze_item(item, gammas=(1.0,), cost="bce")
sweep_item(item, gammas=(1.0,), cost="bce")
"""
    )
    assert "numpy" in imported
    assert "numpy.ma" not in imported
