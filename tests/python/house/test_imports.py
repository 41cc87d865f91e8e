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
