"""What is imported when: names of packages on demand, and nothing that a process has no use for."""

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["warplens.analysis", "warplens.corpus"])
def test_a_package_offers_the_names_it_lists_as_their_modules_have_them(name):
    package = importlib.import_module(name)
    for each in package.__all__:
        value = getattr(package, each)
        assert each in dir(package)
        assert value is getattr(sys.modules[value.__module__], each)
        assert value.__module__.startswith(name)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        _ = package.nothing


def imported_by(code):
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_a_worker_imports_neither_the_engine_nor_the_report():
    imported = imported_by("import warplens.corpus.worker, warplens.corpus.item_work")
    assert "warplens.analysis.item_analysis" in imported
    for module in ("corpus.run", "corpus.engine", "corpus.sweep_run", "analysis.report", "analysis.sonify"):
        assert f"warplens.{module}" not in imported
    assert "concurrent.futures" not in imported


def test_a_command_imports_what_it_runs_alone():
    pytest.importorskip("click")
    imported = imported_by("from warplens.cli.commands import warplens; import warplens.cli.analyze")
    for module in ("cli.sweep", "cli.demo", "demo", "analysis.gamma_sweep", "analysis.report"):
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
