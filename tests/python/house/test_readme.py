"""Snippets, commands, numbers and links of README.md, run and followed as they stand."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

URL = "https://github.com/warplens/warplens/blob/main/"
RAW = "https://raw.githubusercontent.com/warplens/warplens/main/"
SITE = "https://warplens.github.io/warplens/"
RECORD = "2026-11-23-amd-epyc-family-25-model-17-avx512.json"


@pytest.fixture(scope="module")
def readme(repository):
    return (repository / "README.md").read_text()


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(text):
    return [shlex.split(line, comments=True) for block in blocks(text, "sh") for line in block.splitlines()]


def test_it_is_short(readme):
    assert len(readme.splitlines()) <= 100
    assert all(len(snippet.strip().splitlines()) <= 15 for snippet in blocks(readme, "python"))


@pytest.mark.slow
def test_snippets_and_commands_run(readme, tmp_path):
    """Every Python block in order, then every call of the command, in one empty folder."""
    pytest.importorskip("torch")
    snippets = blocks(readme, "python")
    assert len(snippets) == 2
    for snippet in snippets:
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", snippet],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert run.returncode == 0, run.stderr
    peaks = [float(peak) for peak in run.stdout.strip("[]\n").split()]
    assert (peaks[6], peaks[10]) == (0.53, 0.98)
    calls = [command for command in commands(readme) if command[0] == "warplens"]
    assert calls
    for call in calls:
        program = Path(sys.executable).parent / call[0]
        run = subprocess.run(
            [program, *call[1:]], cwd=tmp_path, capture_output=True, timeout=600, check=False
        )
        assert run.returncode == 0, run.stderr.decode()
    assert (tmp_path / "results" / "items.csv").is_file()
    assert (tmp_path / "results" / "report.html").is_file()


def test_targets_and_extras_exist(readme, repository):
    targets = re.findall(r"^([a-z]+):.*## ", (repository / "Makefile").read_text(), flags=re.MULTILINE)
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    seen = set()
    for program, *arguments in commands(readme):
        seen.add(program)
        if program == "make":
            assert set(arguments) <= set(targets)
        elif program == "pip":
            subcommand, what = arguments
            named = re.fullmatch(r"\.(?:\[(\w+)\])?", what)
            assert subcommand == "install"
            assert named
            assert named.group(1) is None or named.group(1) in extras
        else:
            assert program == "warplens"
    assert {"make", "pip", "warplens"} == seen
    for target in re.findall(r"`make (\w+)`", readme):
        assert target in targets


def test_links_and_pictures_are_absolute_and_there(readme, repository):
    """On PyPI a relative link leads nowhere."""
    links = re.findall(r"\]\(([^)]+)\)", readme)
    assert links
    for link in links:
        if link.startswith(SITE):
            page = link.removeprefix(SITE) or "index.html"
            source = repository / "docs" / page.replace(".html", ".md")
            assert source.is_file() or page == "gallery/index.html", link
        else:
            place = next((link.removeprefix(base) for base in (URL, RAW) if link.startswith(base)), None)
            assert place, f"{link}: neither of the repository nor of the site"
            assert (repository / place).is_file(), link
    assert (repository / "docs" / "report.png").stat().st_size < 300_000


def test_times_are_those_of_the_record(readme, repository):
    record = json.loads((repository / "benches" / "record" / RECORD).read_text())
    rows = re.findall(
        r"^\| (\d+ × [^|]*?) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", readme, flags=re.MULTILINE
    )
    assert len(rows) == 3
    for sizes, *shown in rows:
        sizes = " x ".join(re.findall(r"\d+", sizes)[:4])
        (workload,) = (
            w for w in record["workloads"] if sizes in w["title"] and "value only" not in w["title"]
        )
        medians = {row["name"]: row["seconds"]["median"] for row in workload["rows"] if row["seconds"]}
        for time, name in zip(shown, ("warplens", "pysdtw", "tslearn, cost by product"), strict=True):
            assert float(time) == pytest.approx(1e3 * medians[name], rel=0.005), (sizes, name)
